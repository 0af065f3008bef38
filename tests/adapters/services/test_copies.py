"""What a text repeats of its author's posts."""

from __future__ import annotations

import pytest

from adapters.models import Sample
from adapters.services import add_text, copies, copies_in, create_voice, delete_sample, set_included
from tests.adapters.conftest import essay

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "rung")]

PASSAGE = "Nobody had told the chain that the ferry was sold"  # ten words


@pytest.fixture
def post(voice):
    return add_text(voice=voice, title="The chain", text=f"It was March. {PASSAGE}, and so it held.\n\n{essay(80)}")


def test_a_passage_leads_to_the_post_that_it_is_from(voice, post):
    [copy] = copies_in(voice=voice, text=f"He wrote: “{PASSAGE.upper()}”!").found
    assert (copy.sample, copy.span.words) == (post, 10)
    assert copy.passage == PASSAGE.upper()
    assert copy.source == PASSAGE


def test_seven_words_are_no_passage_and_eight_are(voice, post):
    words = PASSAGE.split()
    assert copies_in(voice=voice, text=" ".join(words[:7])).found == []
    assert len(copies_in(voice=voice, text=" ".join(words[:8])).found) == 1


def test_what_is_left_out_or_cut_out_is_known_all_the_same(voice, post):
    set_included(sample=post, included=False)
    assert len(copies_in(voice=voice, text=PASSAGE).found) == 1
    Sample.objects.filter(pk=post.pk).update(full=f"> {PASSAGE}\n\nMine.", text="Mine.", content_hash="new")
    assert len(copies_in(voice=voice, text=PASSAGE).found) == 1


def test_posts_that_come_and_go_are_noticed(voice, post):
    assert copies_in(voice=voice, text=PASSAGE).found
    delete_sample(sample=post)
    assert copies_in(voice=voice, text=PASSAGE).found == []
    add_text(voice=voice, text=f"{PASSAGE}. {essay(80, 1)}")
    assert copies_in(voice=voice, text=PASSAGE).found


def test_another_voices_posts_are_not_looked_at(voice, post, author):
    other = create_voice(owner=author, name="Other")
    add_text(voice=other, text=essay(80, 2))
    assert copies_in(voice=other, text=PASSAGE).found == []


def test_of_very_many_posts_the_newest_are_compared_and_the_rest_is_told(voice, post, monkeypatch):
    newer = add_text(voice=voice, text=essay(200, 3))
    monkeypatch.setattr(copies, "MOST_WORDS", newer.words + 1)
    found = copies_in(voice=voice, text=PASSAGE)
    assert (found.found, found.left_out) == ([], 1)


def test_no_more_authors_than_allowed_are_kept_ready(voice, post, author):
    for number in range(copies.READY + 2):
        other = create_voice(owner=author, name=f"Voice {number}")
        add_text(voice=other, text=essay(80, number))
        copies_in(voice=other, text=PASSAGE)
    assert len(copies._ready) == copies.READY
