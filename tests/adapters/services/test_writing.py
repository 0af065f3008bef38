"""Texts are kept, told apart, counted, included and left out."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.models import Sample
from adapters.services import UserError, add_text, create_voice, delete_sample, measure, review, set_included
from adapters.services import base as site_base
from tests.adapters.conftest import essay

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("base_model")]


def test_a_pasted_text_is_kept_as_it_was_and_as_the_model_reads_it(voice):
    sample = add_text(voice=voice, text="A Title\r\n\r\nA “text”.\r\n", date=date(2024, 5, 31))
    assert (sample.title, sample.text, sample.original) == ("A Title", "A “text”.", "A Title\r\n\r\nA “text”.\r\n")
    assert (sample.words, sample.included, sample.date) == (2, True, date(2024, 5, 31))
    assert 3 <= sample.tokens <= 8


def test_with_a_title_of_its_own_the_first_line_stays_text(voice):
    assert add_text(voice=voice, title="Given", text="A Title\n\nA text.").text == "A Title\n\nA text."


@pytest.mark.parametrize("text", ["", " \n ", "\u200b\ufeff"])
def test_an_empty_text_is_refused(voice, text):
    with pytest.raises(UserError, match="no text here"):
        add_text(voice=voice, text=text)


def test_twenty_megabytes_are_refused_with_their_size(voice):
    with pytest.raises(UserError, match=r"20\.0 MB"):
        add_text(voice=voice, text="word " * 4_000_000)
    assert not Sample.objects.exists()


def test_the_same_text_is_kept_once_whatever_its_white_space(voice, make_author):
    add_text(voice=voice, title="First", text="One two.\n\nThree.")
    with pytest.raises(UserError, match="“First”"):
        add_text(voice=voice, title="Second", text="One  two.\n\n\n\nThree. ")
    assert Sample.objects.count() == 1


PROSE = "The ferry was late and the tide was not, and I wrote down who was on it, and why they were, "


def prose(number: int) -> str:
    """Texts of one language that are not alike."""
    return PROSE + essay(120, number).replace(".", f", and that was {number} of them.")


def test_a_pasted_text_is_compared_with_the_others_at_once(voice):
    first = add_text(voice=voice, text=prose(1))
    add_text(voice=voice, text=prose(2).upper())
    worked_over = add_text(voice=voice, text=prose(1).replace("ferry", "boat"))
    again = add_text(voice=voice, text=prose(1).replace("ferry", "boat") + " It was late.")
    for sample in (worked_over, again):
        sample.refresh_from_db()
        assert ("near_duplicate" in sample.flags, sample.like) == (True, first)
    assert set(Sample.objects.filter(like=None).values_list("pk", flat=True)) >= {first.pk}
    assert Sample.objects.filter(flags__contains=["near_duplicate"]).count() == 2
    before = dict(Sample.objects.values_list("pk", "flags"))
    review(voice=voice)
    assert dict(Sample.objects.values_list("pk", "flags")) == before, "all with all finds the same"


def test_a_text_of_another_voice_is_no_other_text(voice, author):
    add_text(voice=create_voice(owner=author, name="Other"), text=prose(1))
    assert add_text(voice=voice, text=prose(1)).like is None


def test_a_pasted_text_in_another_language_is_told_at_once(voice):
    german = "Die Fähre kam zu spät, aber die Flut war pünktlich, und ich schrieb auf, wer darauf war. " * 8
    for number in range(3):
        assert "language" not in add_text(voice=voice, text=prose(number)).flags
    for times in range(5):  # however many of them there are, they are not the usual ones
        assert "language" in add_text(voice=voice, text=german + " Noch einmal." * times).flags
    assert "language" not in add_text(voice=voice, text=prose(9)).flags


def test_short_texts_are_like_no_other(voice):
    add_text(voice=voice, text="One two.")
    assert add_text(voice=voice, text="One two three.").like is None


def test_two_voices_may_have_the_same_text(voice, author):
    for each in (voice, create_voice(owner=author, name="Other")):
        add_text(voice=each, text="One two.")
    assert Sample.objects.count() == 2


def test_a_title_of_ten_thousand_characters_is_cut(voice):
    assert len(add_text(voice=voice, title="t" * 10_000, text="Text.").title) == 300


def test_the_meter_counts_what_is_included(voice, write):
    first, second = write(voice, 100, 1), write(voice, 200, 2)
    set_included(sample=first, included=False)
    meter = measure(voice=voice)
    assert (meter.posts, meter.words, meter.tokens, meter.left_out) == (1, second.words, second.tokens, 1)
    assert not meter.ready.enough
    assert "4 more posts" in meter.ready.message


def test_the_meter_of_an_empty_voice_says_what_is_needed(voice):
    meter = measure(voice=voice)
    assert (meter.posts, meter.words, meter.tokens) == (0, 0, 0)
    assert (meter.needed_posts, meter.needed_tokens) == (5, 5000)


def test_enough_writing_is_enough(ready_voice):
    assert measure(voice=ready_voice).ready.enough


def test_a_deleted_text_is_gone_and_can_come_again(voice, write):
    delete_sample(sample=write(voice, 50, 1))
    assert measure(voice=voice).posts == 0
    write(voice, 50, 1)


def test_tokens_are_counted_as_the_base_model_counts_them(starter):
    _, tokenizer = starter
    for text in [essay(300), "Zürich, 日本語 & “quotes”…", "  spaces\n\n\tand tabs"]:
        assert site_base.count_tokens(text) == len(tokenizer.encode(text, add_special_tokens=False))


def test_the_base_models_size_is_read_from_its_files(starter):
    model, _ = starter
    assert site_base.parameters() == sum(weights.numel() for weights in model.parameters())


def test_without_a_base_model_it_is_said_who_has_to_do_what(voice, settings, tmp_path):
    settings.MODELS = tmp_path
    with pytest.raises(UserError, match="fetch_base_model"):
        add_text(voice=voice, text="Text.")
