"""What has been said before."""

import random

import pytest

from adapters.training.duplicates import repeats


def essay(seed: int, words: int = 200) -> str:
    chance = random.Random(seed)
    return " ".join(f"w{chance.randrange(3000)}" for _ in range(words))


def test_the_same_words_are_a_duplicate_however_their_lines_are_broken():
    (first, again) = repeats([essay(1), essay(1).replace(" ", "\n")])

    assert first is None
    assert (again.older, again.likeness, again.exact) == (0, 1, True)


@pytest.mark.parametrize(("kept", "near"), [(190, True), (110, True), (90, False), (10, False)])
def test_a_text_of_which_half_was_said_before_is_a_near_duplicate(kept, near):
    old, new = essay(1), " ".join([*essay(1).split()[:kept], *essay(2).split()[kept:]])
    found = repeats([old, new])[1]

    assert (found is not None) == near
    if near:
        assert not found.exact
        assert found.likeness == pytest.approx(kept / 200, abs=0.07)


def test_a_collection_of_old_texts_is_a_near_duplicate_of_the_one_it_has_most_of():
    found = repeats([essay(1, 60), essay(2, 100), essay(3, 60), f"{essay(1, 60)} {essay(2, 100)} {essay(3, 60)}"])

    assert found[:3] == [None] * 3
    assert found[3].older == 1
    assert found[3].likeness > 0.8


def test_a_longer_text_that_quotes_an_older_one_stays():
    assert repeats([essay(1, 100), f"{essay(1, 100)} {essay(2, 300)}"]) == [None, None]


def test_what_a_duplicate_says_is_not_said_by_it():
    # Half of the third is in the second, which is left out as a duplicate of the first; nothing of it is in the first.
    second = " ".join([*essay(1).split()[:110], *essay(2).split()[:90]])
    third = " ".join([*essay(2).split()[:90], *essay(3).split()[:60]])
    found = repeats([essay(1), second, third])

    assert found[1].older == 0
    assert found[2] is None


def test_short_texts_are_duplicates_only_when_they_are_equal():
    assert repeats(["Thank you all for reading.", "Thank you all for reading. Bye."]) == [None, None]
    assert repeats([essay(1, 25), f"{essay(1, 25)} {essay(2, 5)}"]) == [None, None]
    assert repeats(["Thank you all.", "Thank you all."])[1].exact
