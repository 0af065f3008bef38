"""Spans of a text that stand in an author's posts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.style.copying import Known

LETTERS = st.lists(st.sampled_from(["a", "b", "c", "A,", "b."]), max_size=25).map(" ".join)
POST = "She said: “It’s late, and the ferry has gone without us.” Nobody answered."


def plain(text: str) -> list[str]:
    return text.lower().replace(",", "").replace(".", "").split()


def stands(words: list[str], posts: list[str]) -> bool:
    return any(
        words == plain(post)[place : place + len(words)] for post in posts for place in range(len(plain(post)) + 1)
    )


def test_a_span_is_found_without_marks_case_quotes_and_white_space():
    text = "Then:\n\nIT'S LATE -- and the\nferry has gone, without me"
    (span,) = Known({7: POST}).spans(text)

    assert (span.words, span.key) == (8, 7)
    assert text[span.start : span.end] == "IT'S LATE -- and the\nferry has gone, without"
    assert POST[span.source_start : span.source_end] == "It’s late, and the ferry has gone without"


def test_seven_words_are_no_span():
    assert Known({1: POST}).spans("and the ferry has gone without us today") == []
    assert Known({1: POST}).spans("and the ferry has gone without us today", at_least=7)[0].words == 7


def test_spans_do_not_go_from_one_post_into_the_next():
    assert Known({1: "a b c d", 2: "e f g h"}).spans("a b c d e f g h") == []


def test_of_overlapping_spans_the_longer_is_whole_and_what_is_left_has_to_be_long_enough():
    long, short = "a b c d e f g h i j k l", "i j k l m n o p q r s"
    text = "a b c d e f g h i j k l m n o p q r s"
    known = Known({1: long, 2: short})

    assert [(span.words, span.key) for span in known.spans(text, 8)] == [(12, 1)]
    assert [(span.words, span.key) for span in known.spans(text, 7)] == [(12, 1), (7, 2)]


def test_a_span_ends_where_a_longer_one_begins_that_overlaps_it():
    known = Known({1: "a b c d e f g h i j", 2: "g h i j k l m n o p q r s t"})
    spans = known.spans("a b c d e f g h i j k l m n o p q r s t", at_least=3)

    assert [(span.words, span.key, span.source_start) for span in spans] == [(6, 1, 0), (14, 2, 0)]


def test_what_stands_in_several_posts_is_told_of_the_first():
    assert [span.key for span in Known({5: f"x {POST}", 2: POST}).spans(POST)] == [5]
    assert [span.key for span in Known({5: f"{POST} Then.", 2: f"{POST} Well."}).spans(POST)] == [5]


def test_posts_and_texts_may_be_empty():
    assert Known({}).spans(POST) == []
    assert Known({1: "", 2: "…"}).spans(POST) == []
    assert Known({1: POST}).spans("") == []


def test_a_long_copy_is_found_whole_in_many_words():
    chance = random.Random(0)
    words = [f"w{chance.randrange(3000)}" for _ in range(50_000)]
    known = Known({1: " ".join(words[:25_000]), 2: " ".join(words[25_000:])})
    spans = known.spans(" ".join(["fresh", *words[30_000:31_500], "fresh", *words[100:120]]))

    assert [(span.words, span.key) for span in spans] == [(1500, 2), (20, 1)]


@given(LETTERS, st.lists(LETTERS, max_size=3), st.integers(1, 5))
def test_spans_are_copies_apart_and_as_long_as_can_be(text, posts, at_least):
    spans = Known(dict(enumerate(posts))).spans(text, at_least)
    covered = [False] * len(plain(text))
    taken = []
    for span in spans:
        words = plain(text[span.start : span.end])
        first = len(plain(text[: span.start]))
        assert span.words == len(words) >= at_least
        assert plain(posts[span.key][span.source_start : span.source_end]) == words
        assert not any(covered[first : first + span.words])
        covered[first : first + span.words] = [True] * span.words
        taken.append((first, first + span.words))
    whole = plain(text)
    for first, last in taken:
        for longer in ((first - 1, last), (first, last + 1)):
            if longer[0] >= 0 and longer[1] <= len(whole) and not (covered[longer[0]] and covered[longer[1] - 1]):
                assert not stands(whole[longer[0] : longer[1]], posts)
    for place in range(len(whole) - at_least + 1):  # nothing is left
        if not any(covered[place : place + at_least]):
            assert not stands(whole[place : place + at_least], posts)


@pytest.mark.parametrize("text", ["the " * 400, "a b " * 200])
def test_what_says_one_thing_again_and_again_is_one_span(text):
    assert [span.words for span in Known({1: text * 3}).spans(text)] == [400]


@given(st.text(st.characters()))
def test_any_text_can_be_asked_about(text):
    spans = Known({1: text}).spans(text, at_least=1)

    assert all(text[span.start : span.end] == text[span.source_start : span.source_end] for span in spans[:1])
