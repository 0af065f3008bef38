"""What stands word for word in other texts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.style.copying import Source, tokens

LETTERS = st.lists(st.sampled_from(["a", "b", "c", "."]), max_size=30).map(" ".join)


def longest_by_hand(text: str, sources: list[str]) -> int:
    own, best = tokens(text), 0
    for source in map(tokens, sources):
        for i in range(len(own)):
            for j in range(len(source)):
                size = 0
                while i + size < len(own) and j + size < len(source) and own[i + size] == source[j + size]:
                    size += 1
                best = max(best, size)
    return best


@given(LETTERS, st.lists(LETTERS, max_size=3))
def test_the_longest_run_is_what_comparing_every_place_finds(text, sources):
    run = Source(sources).longest_run(text)

    assert run.tokens == longest_by_hand(text, sources) == len(tokens(run.passage))
    assert run.passage in text


@given(LETTERS, st.lists(LETTERS, max_size=3), st.integers(1, 6))
def test_overlap_is_the_share_of_runs_that_are_in_the_source(text, sources, size):
    def runs(words):
        return [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]

    known = {run for source in sources for run in runs(tokens(source))}
    own = runs(tokens(text))
    expected = sum(run in known for run in own) / len(own) if own else 0.0

    assert Source(sources).overlap(text, size) == pytest.approx(expected)


def test_a_run_does_not_go_from_one_text_into_the_next():
    assert Source(["one two", "three four"]).longest_run("one two three four").tokens == 2


def test_letters_case_and_quotes_do_not_hide_a_copy_and_marks_count():
    run = Source(["“It’s late,” she said."]).longest_run('And then: "it\'s LATE," she said. Goodbye.')

    assert run.passage == '"it\'s LATE," she said.'
    assert run.tokens == 8


def test_a_copy_is_found_in_a_hundred_thousand_words():
    chance = random.Random(0)
    long = [f"w{chance.randrange(3000)}" for _ in range(100_000)]
    text = " ".join(["fresh", *long[70_000:70_057], "fresh", *long[100:120]])

    assert Source([" ".join(long)]).longest_run(text).tokens == 57
