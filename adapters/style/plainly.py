"""Plainly: figures as people say them, and the few sums behind them.
Knows numbers and English. Knows nothing of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_NUMBERS: Final = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_PARTS: Final = ((2, 3), (3, 4), (2, 5), (3, 5), (4, 5), (5, 6), (9, 10), *((1, of) for of in range(2, 13)))
_ROUND: Final = (15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000)


def count(number: int, one: str, many: str | None = None) -> str:
    """`one post`, `three posts`, `1,200 posts`, `no posts`."""
    return (
        f"{_NUMBERS[number] if number < len(_NUMBERS) else f'{number:,}'} {one if number == 1 else many or one + 's'}"
    )


def figure(value: float) -> str:
    """Two or three figures that mean something: 0.043, 2.6, 14, 1,300."""
    if value < 0:
        return "−" + figure(-value)
    if value >= 100:
        digits = len(str(int(value)))
        return f"{round(value, 2 - digits):,.0f}"
    if value >= 9.95 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def portion(share: float, one: str, many: str | None = None) -> str:
    """A share as an object: `one paragraph in five`, `every second paragraph`, `no paragraph`, `every paragraph`."""
    many = many or one + "s"
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
    if (part, of) == (1, 2):
        return f"every second {one}"
    return f"{_NUMBERS[part]} {one if part == 1 else many} in {_NUMBERS[of]}"


def some_of(times: int, total: int, one: str, many: str | None = None) -> str:
    """A part of few things in the things' own number, of many as a portion: `two of your three posts`."""
    many = many or one + "s"
    if total == 1 and times:
        return f"your only {one}"
    if total > 12 or times in (0, total):
        return portion(times / total, one, many)
    return f"{count(times, '').strip()} of your {count(total, one, many)}"


def rate(per_thousand: float, times: float, mark: str) -> str:
    """How often something stands among words: `a comma every 16 words`, `a dash about once in 2,300 words`."""
    if times <= 0:
        return f"no {mark}"
    article = "" if mark.startswith("“") else "an " if mark[0] in "aeiou" else "a "
    if times < 2:
        return f"one {mark} in all that was measured"
    words = 1000 / per_thousand
    if words < 100:
        return f"{article}{mark} every {max(2, round(words))} words"
    return f"{article}{mark} about once in {figure(words)} words"


def quantile(values: Sequence[float], share: float) -> float:
    """What `share` of the values are at most, between two neighbours in proportion; 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
