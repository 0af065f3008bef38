"""Pages are given to one sequence at a time, in runs where possible, and all come back."""

from __future__ import annotations

import random

from inference.engine.pages import PAGE, Pages


def test_sequences_grow_in_runs() -> None:
    pages = Pages(64)
    held: list[list[int]] = [[] for _ in range(4)]
    for tokens in range(1, 5 * PAGE):
        assert all(pages.take(own, tokens) for own in held)
    assert all(own == list(range(own[0], own[0] + 5)) for own in held)


def test_nothing_is_taken_when_too_few_are_free() -> None:
    pages, held = Pages(3), list[int]()
    assert not pages.take(held, 3 * PAGE + 1)
    assert (held, pages.free) == ([], 3)
    assert pages.take(held, 3 * PAGE)
    assert sorted(held) == [1, 2, 3]


def test_no_page_has_two_owners_and_none_is_lost() -> None:
    draw, pages = random.Random(1), Pages(50)
    held: list[list[int]] = [[] for _ in range(8)]
    for _ in range(2000):
        own = draw.choice(held)
        if draw.random() < 0.2:
            pages.give_back(own)
        else:
            pages.take(own, len(own) * PAGE + draw.randrange(3 * PAGE))
        taken = [page for own in held for page in own]
        assert len(set(taken)) == len(taken) == pages.count - pages.free
        assert all(1 <= page <= 50 for page in taken)
    for own in held:
        pages.give_back(own)
    assert pages.free == 50
