"""An author may overrule what cleaning cuts out, and is told what to look at."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from adapters.models import Sample, Voice
from adapters.services import (
    curation,
    delete_sample,
    overrule,
    overrule_all,
    reread,
    run_import,
    start_import,
    sweep_rereading,
)
from adapters.services.stopping import STOPPING
from tests.adapters.services.test_imports import files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "own_folders", "rung")]
PROSE = "The ferry was late and the tide was not, and I wrote down who was on it, and why they were, " * 6


def bring(voice, **contents: str) -> list[Sample]:
    run_import(job_id=start_import(voice=voice, uploads=files(**contents)).pk)
    return list(Sample.objects.filter(voice=voice).order_by("external_id"))


def overruled(voice, *, rule: str = "quotation", kept: bool) -> None:
    """Have a rule overruled for all texts, and a worker read them anew."""
    overrule_all(voice=voice, rule=rule, kept=kept)
    reread(voice_id=voice.pk)
    voice.refresh_from_db()
    assert voice.rereading_at is None


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
    overruled(voice, kept=True)
    assert set(Sample.objects.values_list("text", flat=True)) == {"Mine.\n\n> Hers.", "No quotation."}
    *_, later = bring(voice, c__md="Later.\n\n> Theirs.")
    assert later.text == "Later.\n\n> Theirs."
    overruled(voice, kept=False)
    assert set(Sample.objects.values_list("text", flat=True)) == {"Mine.", "No quotation.", "Later."}


def test_words_and_flags_follow_when_all_texts_are_read_anew(voice):
    [sample] = bring(voice, a__md="Mine.\n\n> " + PROSE)
    assert "short" in sample.flags
    overruled(voice, kept=True)
    sample.refresh_from_db()
    assert sample.words > 80
    assert "short" not in sample.flags


def test_a_worker_is_asked_to_read_all_texts_anew_and_again_when_it_is_lost(voice, rung):
    bring(voice, a__md="Mine.\n\n> Hers.")
    rung.clear()
    overrule_all(voice=voice, rule="quotation", kept=True)
    assert Sample.objects.get().text == "Mine."
    sweep_rereading()
    assert rung == [("reread", voice.pk)]
    Voice.objects.update(rereading_at=timezone.now() - curation.SILENCE - timedelta(seconds=1))
    sweep_rereading()
    sweep_rereading()
    assert rung == [("reread", voice.pk)] * 2


def test_a_worker_that_has_to_stop_leaves_the_rest_to_another(voice):
    bring(voice, a__md="Mine.\n\n> Hers.")
    overrule_all(voice=voice, rule="quotation", kept=True)
    STOPPING.set()
    try:
        reread(voice_id=voice.pk)
    finally:
        STOPPING.clear()
    voice.refresh_from_db()
    assert voice.rereading_at is not None
    reread(voice_id=voice.pk)
    assert Sample.objects.get().text == "Mine.\n\n> Hers."


def test_a_rule_that_is_overruled_while_texts_are_read_anew_is_not_forgotten(voice, monkeypatch):
    bring(voice, a__md="Mine.\n\n> Hers.\n\n```\ncode()\n```")
    overrule_all(voice=voice, rule="quotation", kept=True)
    first = curation._reread

    def meanwhile(samples, of):
        first(samples, of)
        monkeypatch.setattr(curation, "_reread", first)
        overrule_all(voice=voice, rule="code", kept=True)

    monkeypatch.setattr(curation, "_reread", meanwhile)
    reread(voice_id=voice.pk)
    voice.refresh_from_db()
    assert voice.rereading_at is not None
    reread(voice_id=voice.pk)
    assert "code()" in Sample.objects.get().text
    assert "Hers." in Sample.objects.get().text


def test_voices_that_are_gone_or_have_nothing_to_be_read_do_no_harm(voice):
    reread(voice_id=voice.pk)
    reread(voice_id=10**9)
    voice.refresh_from_db()
    assert voice.rereading_at is None


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
    overruled(voice, rule="repeated", kept=True)
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
