"""An author may overrule what cleaning cuts out, and is told what to look at."""

from __future__ import annotations

import pytest

from adapters.models import Sample
from adapters.services import delete_sample, overrule, overrule_all, run_import, start_import
from tests.adapters.services.test_imports import files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "own_folders", "rung")]
PROSE = "The ferry was late and the tide was not, and I wrote down who was on it, and why they were, " * 6


def bring(voice, **contents: str) -> list[Sample]:
    run_import(job_id=start_import(voice=voice, uploads=files(**contents)).pk)
    return list(Sample.objects.filter(voice=voice).order_by("external_id"))


def test_one_text_can_be_read_with_its_quotations(voice):
    first, second = bring(voice, a__md="Mine.\n\n> Hers.\n\n```\ncode()\n```", b__md="Mine too.\n\n> His.")
    assert first.text == "Mine."
    overrule(sample=first, rule="quotation", kept=True)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.text, first.words) == ("Mine.\n\n> Hers.", 2)
    assert second.text == "Mine too."
    overrule(sample=first, rule="quotation", kept=False)
    first.refresh_from_db()
    assert first.text == "Mine."


def test_what_follows_from_other_texts_is_still_said_when_a_rule_is_overruled(voice):
    _, second = bring(voice, a__md=f"{PROSE}\n\n> Hers.", b__md=f"{PROSE}\n\n> His.")
    assert "near_duplicate" in second.flags
    overrule(sample=second, rule="quotation", kept=True)
    second.refresh_from_db()
    assert "near_duplicate" in second.flags


def test_all_texts_can_those_that_come_later_as_well(voice):
    bring(voice, a__md="Mine.\n\n> Hers.", b__md="No quotation.")
    assert overrule_all(voice=voice, rule="quotation", kept=True) == 1
    *_, later = bring(voice, c__md="Later.\n\n> Theirs.")
    assert later.text == "Later.\n\n> Theirs."
    assert overrule_all(voice=voice, rule="quotation", kept=False) == 2
    assert set(Sample.objects.values_list("text", flat=True)) == {"Mine.", "No quotation.", "Later."}


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("Too little.", "short"),
        (PROSE + "\n\n" + "\n\n".join(f"> {PROSE}" for _ in range(2)), "quotation"),
        (PROSE + "\n\n```\n" + PROSE * 2 + "\n```", "code"),
        (PROSE + " Write to somebody@example.org.", "personal"),
        (PROSE + " Ring +44 20 7946 0958 after six.", "personal"),
    ],
)
def test_what_should_be_looked_at_is_flagged(voice, text, flag):
    [sample] = bring(voice, a__md=text)
    assert flag in sample.flags


def test_what_many_texts_end_with_is_cut_once_all_are_there(voice):
    end = "Tides is written on an island where the ferry comes twice a day."
    texts = {f"p{number}__md": f"Post {number}.\n\nIt says {number} things.\n\n{end}" for number in range(4)}
    for sample in bring(voice, **texts):
        assert end not in sample.text
        assert sample.cuts[0][2] == "repeated"
    overrule_all(voice=voice, rule="repeated", kept=True)
    assert all(end in sample.text for sample in Sample.objects.all())


def test_ordinary_prose_has_no_flags(voice):
    assert bring(voice, a__md=PROSE + " In 1984 there were 300 of us, between 10-12 and 2019-05-03.")[0].flags == []


def test_a_text_that_is_like_another_is_flagged_until_the_other_is_gone(voice):
    first, second, third = bring(
        voice,
        a__txt=PROSE + " The end.",
        b__txt=PROSE + " That was the end of it.",
        c__txt="Chains are made of excuses. " * 30,
    )
    assert (first.flags, first.like, third.like) == ([], None, None)
    assert second.flags == ["near_duplicate"]
    assert second.like == first
    delete_sample(sample=first)
    second.refresh_from_db()
    assert (second.flags, second.like) == ([], None)
