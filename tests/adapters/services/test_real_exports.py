"""Exports and corpora that lie beside the project come in whole, and what is not the author's waits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.files import File

from adapters.models import ImportJob, Sample
from adapters.services import run_import, start_import

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "own_folders", "rung")]


def bring_in(voice, path: Path) -> ImportJob:
    with path.open("rb") as stream:
        job = start_import(voice=voice, uploads=[File(stream, name=path.name)])
    run_import(job_id=job.pk)
    return job


@pytest.mark.parametrize(
    ("name", "imported", "waiting"),
    [
        ("wordpress-wxr-leacock.xml", 12, {"draft": 1, "private": 1, "password": 1, "other_author": 1, "page": 1}),
        ("ghost-export-jerome.json", 11, {"draft": 1, "scheduled": 1, "other_author": 1, "page": 1}),
        ("medium-export-chesterton.zip", 20, {"draft": 2, "reply": 2}),
        ("substack-export-lamb.zip", 13, {"draft": 1, "podcast": 1, "page": 1}),
        ("rss2-full-emerson.xml", 10, {}),
    ],
)
def test_of_an_export_the_authors_published_posts_are_taken(shared, voice, name, imported, waiting):
    job = bring_in(voice, shared / "formats" / "made" / name)
    states = [(item.state, item.held) for item in job.items.all()]
    assert [state for state, _ in states].count("imported") == imported
    held = [held for state, held in states if state == "found"]
    assert {reason: held.count(reason) for reason in sorted(set(held))} == dict(sorted(waiting.items()))
    assert bring_in(voice, shared / "formats" / "made" / name).items.filter(state="imported").count() == 0


@pytest.mark.parametrize("number", range(8))
def test_an_authors_pieces_come_in_as_one_zip(shared, voice, number):
    author = json.loads((shared / "corpora" / "authors.json").read_text())[number]
    job = bring_in(voice, shared / "corpora" / author["zip"])
    assert job.items.filter(state="imported").count() == author["pieces"], list(job.items.exclude(reason="").values())[
        :3
    ]
    words = sum(Sample.objects.values_list("words", flat=True))
    assert abs(words - author["words"]) < 0.05 * author["words"]
