"""Figures as people say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.style.plainly import as_often, count, does, figure, portion, quantile, sets


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0, "no post"),
        (0.0001, "hardly any post"),
        (0.01, "one post in 100"),
        (0.05, "one post in 20"),
        (0.2, "one post in five"),
        (0.34, "one post in three"),
        (0.5, "every second post"),
        (0.66, "two posts in three"),
        (0.9, "nine posts in ten"),
        (0.97, "almost every post"),
        (1, "every post"),
    ],
)
def test_shares_are_told_as_so_many_in_so_many(share, told):
    assert portion(share, "post") == told


@given(st.floats(0, 1))
def test_no_share_but_nought_is_told_as_none_and_none_but_all_as_every(share):
    told = portion(share, "post")

    assert told.startswith("no ") == (share == 0)
    assert (told == "every post") == (share == 1)


def test_what_never_happens_is_told_as_never():
    assert does("open", 0, 40, "paragraph", "with a question") == "You never open a paragraph with a question."
    assert does("open", 8, 40, "paragraph", "with a question") == "You open one paragraph in five with a question."
    assert sets("set", 0, 0, "exclamation mark") == "You never set an exclamation mark."


def test_few_things_are_counted_and_a_single_one_is_your_only_one():
    assert does("end", 1, 1, "post", "with a question") == "You end your only post with a question."
    assert does("end", 2, 3, "post", "with a question") == "You end two of your three posts with a question."
    assert does("end", 3, 3, "post", "with a question") == "You end every post with a question."


def test_rates_are_told_by_the_words_between():
    assert sets("set", 62.5, 200, "comma") == "You set a comma every 16 words."
    assert sets("set", 0.4348, 12, "dash") == "You set a dash about once in 2,300 words."
    assert sets("set", 100, 1, "colon") == "You set a colon only once in all that was measured."
    assert sets("write", 50, 9, "“I” or “my”") == "You write “I” or “my” every 20 words."


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        (0, "never"),
        (0.01, "hardly ever"),
        (0.07, "a tenth as often"),
        (0.1, "a tenth as often"),
        (0.34, "a third as often"),
        (2.54, "2.5 times as often"),
    ],
)
def test_ratios_are_told_as_parts_and_times(ratio, told):
    assert as_often(ratio) == told


@given(st.floats(0, 1e6))
def test_every_ratio_can_be_told(ratio):
    assert as_often(ratio)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (0.0432, "0.043"),
        (2.59, "2.6"),
        (9.97, "10"),
        (14.2, "14"),
        (1288, "1,300"),
        (-1.24, "−1.2"),
        (3, "3"),
    ],
)
def test_figures_have_two_or_three_digits(value, told):
    assert figure(value) == told


def test_counts_have_their_plural():
    assert [count(value, "post") for value in (0, 1, 3, 1200)] == ["no posts", "one post", "three posts", "1,200 posts"]


def test_quantiles_lie_between_neighbours_in_proportion():
    assert quantile([], 0.5) == 0
    assert quantile([1, 2, 3, 10], 0.5) == 2.5
    assert quantile([4, 1, 2], 0.25) == 1.5
