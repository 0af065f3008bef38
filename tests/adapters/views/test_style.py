"""The style pages: the profile with its evidence, comparisons, and a text that is checked while it is typed."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.urls import reverse

from adapters.models import StyleProfile
from adapters.services import add_text, create_voice, measure_style
from tests.adapters.conftest import essay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "base_model")]

PASSAGE = "Why did the ferry never come back on a Tuesday?"


@pytest.fixture
def written(voice):
    """Six posts over six years, the newer ones with questions."""
    for year in range(2015, 2021):
        asked = f"{PASSAGE} {year}. " * (3 if year > 2017 else 0)
        add_text(voice=voice, title=f"Year {year}", text=f"{asked}{essay(220, year)}", date=date(year, 5, 1))
    return voice


def at(name: str, **asked: str) -> str:
    query = "&".join(f"{key}={value}" for key, value in asked.items())
    return reverse(f"voices:{name}", args=["essays"]) + (f"?{query}" if query else "")


def measured_anew() -> None:
    for row in StyleProfile.objects.all():
        measure_style(profile_id=row.pk)


def shown(browser, address: str) -> str:
    """A page, once everything on it is measured."""
    browser.get(address)
    measured_anew()
    return browser.get(address).text


def test_a_voice_without_writing_is_told_what_comes_here(browser, voice):
    assert "Nothing to measure yet" in browser.get(at("style")).text


def test_the_page_asks_again_until_the_texts_are_measured(browser, written):
    waiting = browser.get(at("style")).text
    assert "Your texts are being measured" in waiting
    assert 'hx-trigger="every 2s"' in waiting
    done = shown(browser, at("style"))
    assert "being measured" not in done
    assert "every 2s" not in done


def test_what_is_told_is_shown_by_sentences_that_lead_to_their_posts(browser, written):
    page = shown(browser, at("style"))
    assert "in 6 posts, 2015 to 2020" in page
    assert re.search(r"Half of your sentences have .{,60}words", page)
    [link] = re.findall(r'<a href="(/voices/essays/writing/\d+/)#:~:text=Why%20did%20the%20ferry', page)[:1]
    assert PASSAGE in browser.get(link).text


def test_charts_have_their_figures_in_tables(browser, written):
    page = shown(browser, at("style"))
    for chart in ("sentence_words", "paragraph_words", "over-time"):
        assert f'="table-{chart}"' in page
        [table] = re.findall(rf'<table[^>]* id="table-{chart}">.*?</table>', page, re.DOTALL)
        assert len(re.findall(r"data-value=", table)) >= 6


def test_a_measure_is_followed_over_the_years(browser, written):
    page = shown(browser, at("style", **{"over-time": "questions"}))
    [table] = re.findall(r'<table[^>]* id="table-over-time">.*?</table>', page, re.DOTALL)
    figures = [float(value) for value in re.findall(r'data-value="([\d.]+)"', table)]
    assert len(figures) == 6
    assert max(figures[:3]) == 0 < min(figures[3:])
    assert browser.get(at("style", **{"over-time": "nonsense"})).status_code == 200


def test_the_earlier_years_stand_beside_the_later_ones(browser, written):
    page = shown(browser, at("style-compare"))
    assert "2017 and before" in page
    assert "2018 and later" in page
    assert re.search(r"Questions[^.<]* more frequent in 2018 and later", page)


def test_years_that_were_chosen_the_wrong_way_round_are_turned(browser, written):
    page = browser.get(at("style-compare", **{"one-voice": "essays", "one-first": "2017", "one-last": "2015"})).text
    assert "2015 to 2017" in page


@pytest.mark.parametrize("asked", [{"one-first": "x"}, {"one-voice": "somebody-elses"}, {"other-last": "1"}])
def test_a_choice_that_makes_no_sense_still_shows_a_comparison(browser, written, asked):
    assert browser.get(at("style-compare", **{"one-voice": "essays", **asked})).status_code == 200


def test_another_authors_voice_cannot_be_compared_with(browser, written, make_author):
    stranger = create_voice(owner=make_author(), name="Secret")
    add_text(voice=stranger, text=essay(200, 9))
    page = browser.get(at("style-compare", **{"one-voice": "essays", "other-voice": "secret"})).text
    assert "Secret" not in page
    assert not StyleProfile.objects.filter(voice=stranger).exists()


def test_the_same_on_both_sides_is_said(browser, written):
    asked = {"one-voice": "essays", "other-voice": "essays"}
    assert "Both sides are the same" in browser.get(at("style-compare", **asked)).text


def test_a_text_is_checked_paragraph_by_paragraph_and_for_passages(browser, written):
    shown(browser, at("style"))
    text = f"{essay(120, 5)}\r\n\r\nShort.\r\n\r\nHe asked: {PASSAGE}"
    page = browser.post(at("style-checked"), {"text": text}).text
    assert "<html" not in page
    assert "Too short to say, 1 word" in page
    assert "of yours, word for word" in page
    assert "Why did the ferry never come back on a Tuesday" in page
    assert re.search(r'href="/voices/essays/writing/\d+/#:~:text=Why%20did', page)


def test_before_anything_is_measured_passages_are_found_all_the_same(browser, written):
    page = browser.post(at("style-checked"), {"text": PASSAGE}).text
    assert "have not been measured yet" in page
    assert "1 passage of yours" in page


def test_nothing_is_said_of_nothing(browser, written):
    assert "appears here while you type" in browser.post(at("style-checked"), {"text": " \n"}).text


def test_a_text_that_is_too_long_is_refused_with_what_to_do(browser, written):
    page = browser.post(at("style-checked"), {"text": "word " * 30_000}).text
    assert "Check it in parts" in page
    assert "maxlength" not in browser.get(at("style-check")).text  # or a browser cuts it off and says nothing


def test_a_draft_sent_here_is_there_from_the_start(browser, written):
    page = browser.post(at("style-check"), {"text": f"He asked: {PASSAGE}"}).text
    assert f"He asked: {PASSAGE}</textarea>" in page
    assert "1 passage of yours" in page


def test_nothing_of_a_text_is_taken_for_markup(browser, written):
    page = browser.post(at("style-checked"), {"text": "<script>alert(1)</script> " * 10}).text
    assert "<script>" not in page
