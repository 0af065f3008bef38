"""Plainly: figures as people say them.
Knows numbers and English. Knows nothing of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NUMBERS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_ORDINALS: Final = (
    "half",
    "a third",
    "a quarter",
    "a fifth",
    "a sixth",
    "a seventh",
    "an eighth",
    "a ninth",
    "a tenth",
)
_PARTS: Final = ((2, 3), (3, 4), (2, 5), (3, 5), (4, 5), (5, 6), (9, 10), *((1, of) for of in range(2, 13)))
_ROUND: Final = (15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000)
FEW: Final = 12
"""Of so few things, each is counted; of more, a share is told."""


def number(value: int) -> str:
    """`no`, `three`, `12,000`."""
    return _NUMBERS[value] if 0 <= value < len(_NUMBERS) else f"{value:,}"


def count(value: int, one: str) -> str:
    """`one post`, `three posts`, `1,200 posts`, `no posts`."""
    return f"{number(value)} {one if value == 1 else one + 's'}"


def figure(value: float) -> str:
    """Two or three figures that mean something: 0.043, 2.6, 14, 1,300."""
    if value < 0:
        return "−" + figure(-value)
    if value >= 100:
        return f"{round(value, 2 - len(str(int(value)))):,.0f}"
    if value >= 9.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def portion(share: float, one: str) -> str:
    """A share as an object: `one paragraph in five`, `every second paragraph`, `no paragraph`, `every paragraph`."""
    if share <= 0:
        return f"no {one}"
    if share >= 1:
        return f"every {one}"
    if share > 0.95:
        return f"almost every {one}"
    if share < 1 / 1500:
        return f"hardly any {one}"
    if share < 1 / 12.5:
        return f"one {one} in {min(_ROUND, key=lambda of: abs(1 / share - of)):,}"
    part, of = min(_PARTS, key=lambda parts: abs(share - parts[0] / parts[1]))
    return f"every second {one}" if (part, of) == (1, 2) else f"{count(part, one)} in {_NUMBERS[of]}"


def some_of(times: int, total: int, one: str) -> str:
    """A part of few things in their own number, of many as a portion: `two of your three posts`, `your only post`."""
    if total == 1 and times:
        return f"your only {one}"
    if total > FEW or times in (0, total):
        return portion(times / total if total else 0.0, one)
    return f"{number(times)} of your {count(total, one)}"


def does(verb: str, times: int, total: int, one: str, rest: str) -> str:
    """`You open one paragraph in five with a question.` or `You never open a paragraph with a question.`"""
    if not times:
        return f"You never {verb} {_a(one)} {rest}."
    return f"You {verb} {some_of(times, total, one)} {rest}."


def sets(verb: str, per_thousand: float, times: int, thing: str) -> str:
    """`You set a comma every 16 words.`, `You set a dash about once in 2,300 words.`, `You never set a semicolon.`"""
    if not times:
        return f"You never {verb} {_a(thing)}."
    if times == 1:
        return f"You {verb} {_a(thing)} only once in all that was measured."
    words = 1000 / per_thousand
    often = f"every {max(2, round(words))} words" if words < 100 else f"about once in {figure(words)} words"
    return f"You {verb} {_a(thing)} {often}."


def as_often(ratio: float) -> str:
    """`never`, `a third as often`, `2.5 times as often`."""
    if ratio >= 1:
        return f"{figure(ratio)} times as often"
    if ratio < 1 / 15:
        return "hardly ever" if ratio else "never"
    return f"{_ORDINALS[min(len(_ORDINALS) + 1, max(2, round(1 / ratio))) - 2]} as often"


def listed(things: Sequence[str]) -> str:
    """`one, two and three`."""
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


def quantile(values: Sequence[float], share: float) -> float:
    """What `share` of the values are at most, between two neighbours in proportion; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))


def _a(thing: str) -> str:
    if thing.startswith("“"):  # a word itself
        return thing
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
