"""The style of a voice: measured by a worker when its texts have changed, for all years or some of them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from adapters.models import Sample, StyleProfile
from adapters.services import (
    Period,
    add_text,
    create_voice,
    delete_sample,
    differences,
    match_of,
    measure_style,
    set_included,
    style_of,
    years_of,
)
from adapters.services import style as styles
from tests.adapters.conftest import essay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model")]

FORMAL = "The committee shall, notwithstanding the foregoing; convene upon the appointed day; and adjourn thereafter. "


@pytest.fixture
def measured(rung):
    """A worker that hears the bells for style, and measures."""

    def work() -> int:
        asked = [about for name, about in rung if name == "measure_style"]
        rung.clear()
        for about in asked:
            measure_style(profile_id=about)
        return len(asked)

    return work


@pytest.fixture
def written(voice, write):
    """Six posts, one a year from 2015 on."""
    return [write(voice, words=200, seed=seed, date=date(2015 + seed, 5, 1)) for seed in range(6)]


def test_a_worker_is_asked_once_and_what_it_measured_is_kept(voice, written, measured):
    first = style_of(voice=voice)
    assert (first.profile, first.measuring, first.empty) == (None, True, False)
    style_of(voice=voice)
    assert measured() == 1
    found = style_of(voice=voice)
    assert not found.measuring
    assert found.profile is not None
    assert found.profile.posts == 6
    assert measured() == 0
    assert {each.post for one in found.profile.measures for each in one.evidence} <= {each.pk for each in written}


def test_without_texts_there_is_nothing_to_measure(voice, measured):
    assert style_of(voice=voice).empty
    assert measured() == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda written: set_included(sample=written[0], included=False),
        lambda written: Sample.objects.filter(pk=written[0].pk).update(text="Something else entirely."),
        lambda written: Sample.objects.filter(pk=written[0].pk).update(date=date(1999, 1, 1)),
        lambda written: add_text(voice=written[0].voice, text=essay(200, 77)),
    ],
    ids=["left out", "rewritten", "dated", "added"],
)
def test_texts_that_changed_are_measured_again_and_the_last_measurement_stays_until_then(
    voice, written, measured, change
):
    style_of(voice=voice)
    measured()
    before = style_of(voice=voice).profile
    change(written)
    found = style_of(voice=voice)
    assert found.measuring
    assert found.profile == before
    assert measured() == 1
    after = style_of(voice=voice)
    assert not after.measuring
    assert after.profile != before


def test_a_bell_that_was_lost_is_rung_again(voice, written, rung):
    style_of(voice=voice)
    rung.clear()
    style_of(voice=voice)
    assert rung == []
    StyleProfile.objects.update(asked_at=timezone.now() - styles.ASK_AGAIN - timedelta(seconds=1))
    style_of(voice=voice)
    assert [name for name, _ in rung] == ["measure_style"]


def test_a_bell_for_a_voice_that_is_gone_does_no_harm(voice, written):
    style_of(voice=voice)
    kept = StyleProfile.objects.get()
    voice.delete()
    measure_style(profile_id=kept.pk)
    assert not StyleProfile.objects.exists()


def test_no_sentence_of_a_deleted_text_is_kept(voice, written, measured):
    style_of(voice=voice)
    measured()
    delete_sample(sample=written[0])
    assert not StyleProfile.objects.exists()
    assert style_of(voice=voice).measuring


def test_a_period_has_its_own_profile(voice, written, measured):
    assert years_of(voice=voice) == list(range(2015, 2021))
    early, late = Period(last=2016), Period(first=2017)
    for period in (early, late):
        style_of(voice=voice, period=period)
    assert measured() == 2
    found = [style_of(voice=voice, period=period).profile for period in (early, late)]
    assert [profile.posts for profile in found if profile] == [2, 4]
    assert style_of(voice=voice, period=Period(first=1980, last=1985)).empty


@pytest.mark.parametrize(
    ("period", "called"),
    [
        (Period(), "all years"),
        (Period(first=2017), "2017 and later"),
        (Period(last=2016), "2016 and before"),
        (Period(first=2015, last=2015), "2015"),
        (Period(first=2015, last=2017), "2015 to 2017"),
    ],
)
def test_periods_are_named_as_people_say_them(period, called):
    assert str(period) == called


def test_two_voices_of_an_author_are_told_apart(voice, written, author, measured):
    other = create_voice(owner=author, name="Minutes")
    for number in range(6):
        add_text(voice=other, title=f"Minutes {number}", text=FORMAL * (12 + number))
    style_of(voice=voice)
    style_of(voice=other)
    measured()
    found = differences(style_of(voice=voice), style_of(voice=other), ("Essays", "Minutes"))
    [semicolons] = [each for each in found if each.key == "semicolon"]
    assert semicolons.other > semicolons.one == 0
    assert "Minutes" in semicolons.sentence


def test_of_what_is_not_measured_no_difference_is_told(voice, written):
    style = style_of(voice=voice)
    assert differences(style, style, ("one", "other")) == ()


def test_a_text_is_matched_with_the_voice_that_was_measured(voice, measured, write):
    for seed in range(12):
        write(voice, words=400, seed=seed)
    assert match_of(voice=voice, text="Anything.") is None
    style_of(voice=voice)
    measured()
    own, formal = match_of(voice=voice, text=essay(300, 500)), match_of(voice=voice, text=FORMAL * 20)
    assert own is not None
    assert formal is not None
    assert (own.percentile or 0) > 5 > (formal.percentile or 0)
    assert formal.level == "unlike you"
