"""What stands at the ends of many posts is found by its being repeated."""

from __future__ import annotations

from adapters.importers.marked import Marked, reading
from adapters.importers.repeats import common, repeated

END = "Tides is written on an island where the ferry comes twice a day."
TOP = "You are reading Tides, a letter about ferries."


def post(number: int, *ends: str, refrain: str = "") -> Marked:
    middle = [f"Of ferry {number} there is this to say, and paragraph {place} says it." for place in range(7)]
    if refrain:
        middle[3] = refrain
    return Marked(text="\n\n".join(filter(None, [*ends[:1], *middle, *ends[1:]])))


def cleaned(posts: list[Marked]) -> list[str]:
    found = common(posts)
    return [reading(each.text, each.cuts) for each in (repeated(each, found) for each in posts)]


def test_the_same_words_at_the_ends_of_many_posts_are_cut():
    posts = [post(number, TOP, END) for number in range(5)]
    assert cleaned(posts) == [post(number).text for number in range(5)]
    assert {cut.rule for cut in repeated(posts[0], common(posts)).cuts} == {"repeated"}


def test_twice_is_no_repeat_and_neither_is_a_few_times_in_very_many():
    for posts in (
        [post(1, "", END), post(2, "", END), post(3)],
        [post(n, "", END if n < 4 else "") for n in range(400)],
    ):
        assert all(END in text for text in cleaned(posts)[:2])


def test_a_refrain_within_the_posts_is_the_authors():
    posts = [post(number, refrain="So it goes, and so it went again.") for number in range(9)]
    assert cleaned(posts) == [each.text for each in posts]


def test_short_words_at_the_end_stay():
    posts = [post(number, "", "Until next time.") for number in range(9)]
    assert cleaned(posts) == [each.text for each in posts]


def test_a_post_of_nothing_else_keeps_its_words():
    posts = [Marked(text=END) for _ in range(5)]
    assert cleaned(posts) == [END] * 5
