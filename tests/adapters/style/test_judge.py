"""Who wrote this?"""

import random

import pytest

from adapters.style.judge import KINDS, Judge, plain
from adapters.style.passages import beginning, passages

HABITS = {"ada": "and so, however, the", "bob": "but a or of it;", "cyd": "I think that I am"}


def texts(writer: str, count: int, seed: int) -> list[str]:
    chance = random.Random(f"{writer} {seed}")
    subjects = ["kettle", "harbour", "lantern", "ladder", "pigeon", "gravel"]
    return [" ".join(f"{HABITS[writer]} {chance.choice(subjects)}" for _ in range(40)) for _ in range(count)]


@pytest.fixture(params=KINDS)
def judge(request):
    lessons = [(text, writer) for writer in HABITS for text in texts(writer, 6, seed=0)]
    return Judge(request.param, [text for text, _ in lessons], [writer for _, writer in lessons])


def test_it_knows_again_who_wrote_about_other_things(judge):
    for writer in HABITS:
        assert judge.ranks(texts(writer, 4, seed=1), [writer] * 4) == [1] * 4


def test_somebody_elses_text_is_not_taken_for_ones_own(judge):
    assert min(judge.ranks(texts("ada", 4, seed=1), ["bob"] * 4)) > 1


def test_two_writers_are_enough_and_one_is_not():
    judge = Judge("characters", [*texts("ada", 3, 0), *texts("bob", 3, 0)], ["ada"] * 3 + ["bob"] * 3)

    assert judge.ranks([*texts("ada", 1, 1), *texts("bob", 1, 1)], ["ada", "bob"]) == [1, 1]
    with pytest.raises(ValueError, match="at least two"):
        Judge("characters", texts("ada", 3, 0), ["ada"] * 3)


def test_what_an_edition_decides_is_no_evidence():
    assert plain("# “Yes” — it’s\n\n- *so*…") == plain('"Yes" - it\'s so...')


def test_passages_have_exactly_as_many_words_and_the_rest_is_left_out():
    text = " one  two\n\nthree four five"

    assert list(passages(text, 2)) == ["one  two", "three four"]
    assert beginning(text, 3) == "one  two\n\nthree"
    assert beginning(text, 9) == text
