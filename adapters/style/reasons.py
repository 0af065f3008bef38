"""Reasons: why a text is unlike an author, in plain words with figures.
Knows what the distance is summed from and what is usual for the author. Knows nothing of where the text comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.style.lexicon import shown
from adapters.style.plainly import figure
from adapters.style.scales import Scale, bounds
from adapters.style.tally import Tally
from adapters.style.traits import TRAITS, traits
from adapters.style.usual import Usual

MOST: Final = 3
_WORDS: Final = 3
_LEAST_SHARE: Final = 0.004
"""Of nearness a word; what moves it less is no reason."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reason:
    weight: float
    text: str


def reasons(
    text: Tally, first: int, last: int, usual: Usual, vocabulary: Sequence[str], scales: Sequence[Scale]
) -> tuple[str, ...]:
    """Up to three for the sentences from `first` to before `last`, the weightiest first."""
    found = [*_traits(text, first, last, scales), *_words(text, first, last, usual, vocabulary)]
    return tuple(reason.text for reason in sorted(found, key=lambda each: (-each.weight, each.text))[:MOST])


def _found(text: Tally, first: int, last: int) -> tuple[int, dict[str, float]]:
    counts = text.counts[first:last].sum(axis=0)
    return int(counts[0]), dict(zip(TRAITS, traits(counts[None])[0].tolist(), strict=True))


def _traits(text: Tally, first: int, last: int, scales: Sequence[Scale]) -> Iterator[_Reason]:
    """What lies outside of nine in ten of the author's own pieces of this length."""
    words, found = _found(text, first, last)
    for name, tell in _TELL.items():
        value, (low, high) = found[name], bounds(name, words, scales)
        if low <= value <= high or math.isnan(value):
            continue
        beyond = value - high if value > high else value - low
        if told := tell(value, low, high, words):
            yield _Reason(weight=1 + abs(beyond) / max(high - low, 1e-3), text=told)


def _words(text: Tally, first: int, last: int, usual: Usual, vocabulary: Sequence[str]) -> Iterator[_Reason]:
    """Words that take the most from the nearness, against what the author would have of them in so many words."""
    total = float(text.words[first:last].sum())
    inside = (text.word_sentence >= first) & (text.word_sentence < last)
    counts = np.bincount(text.word_number[inside], minlength=len(vocabulary))
    expected = total * usual.rates
    taken = (expected - counts) * usual.words / total
    surprising = np.abs(counts - expected) > 2 * np.sqrt(expected + 0.25)
    worst = [int(number) for number in np.argsort(-taken, kind="stable")[:40] if taken[number] > _LEAST_SHARE]
    rare = [number for number in worst if counts[number] and usual.words[number] < 0 and expected[number] < 0.5]
    for number in worst:
        if surprising[number] and number not in rare:
            yield _Reason(
                weight=1 + 8 * float(taken[number]), text=_often(vocabulary[number], counts[number], expected[number])
            )
    if len(rare) >= 2:
        words = ", ".join(f"“{shown(vocabulary[number])}”" for number in rare[:_WORDS])
        yield _Reason(weight=1 + 8 * float(taken[rare].sum()), text=f"words that you seldom use: {words}")


def _often(word: str, times: int, expected: float) -> str:
    had = f"“{shown(word)}” {_times(times)}" if times else f"no “{shown(word)}”"
    return f"{had}, where you would have it about {_times(max(1, round(expected)))}"


def _times(times: int) -> str:
    return {1: "once", 2: "twice"}.get(times, f"{times} times")


Tell = Callable[[float, float, float, int], str]


def _counted(one: str, many: str) -> Tell:
    def tell(value: float, low: float, high: float, words: int) -> str:
        has, least, most = round(value * words), round(low * words), round(high * words)
        if least <= has <= most:
            return ""
        return f"{has or 'no'} {one if has == 1 else many}, where you mostly have {_between(least, most)}"

    return tell


def _between(low: float, high: float) -> str:
    if figure(low) == figure(high):
        return "none" if not high else figure(high)
    return f"{figure(low)} to {figure(high)}"


def _sentence_words(value: float, low: float, high: float, words: int) -> str:
    return (
        f"sentences of {figure(round(value))} words on average, yours mostly have {_between(round(low), round(high))}"
    )


def _word_letters(value: float, low: float, high: float, words: int) -> str:
    return f"words of {value:.1f} letters on average, yours mostly have {low:.1f} to {high:.1f}"


def _known(value: float, low: float, high: float, words: int) -> str:
    mostly = f"{round(100 * low)} to {round(100 * high)}"
    return f"{round(100 * value)} of 100 words are common ones, of yours mostly {mostly}"


def _contractions(value: float, low: float, high: float, words: int) -> str:
    mostly = f"{round(100 * low)} to {round(100 * high)}"
    return f"{round(100 * value)} % of possible contractions, where you mostly make {mostly} %"


_TELL: Final[dict[str, Tell]] = {
    "sentence words": _sentence_words,
    "word letters": _word_letters,
    "contractions": _contractions,
    "known": _known,
    "long words": _counted("word of seven letters or more", "words of seven letters or more"),
    "i": _counted("“I” or “my”", "“I” or “my”"),
    "we": _counted("“we” or “our”", "“we” or “our”"),
    "you": _counted("“you” or “your”", "“you” or “your”"),
    "they": _counted("“he”, “she” or “they”", "“he”, “she” or “they”"),
    "comma": _counted("comma", "commas"),
    "semicolon": _counted("semicolon", "semicolons"),
    "colon": _counted("colon", "colons"),
    "bracket": _counted("pair of brackets", "pairs of brackets"),
    "question": _counted("question mark", "question marks"),
    "exclamation": _counted("exclamation mark", "exclamation marks"),
    "ellipsis": _counted("row of dots", "rows of dots"),
    "quotation": _counted("pair of quotation marks", "pairs of quotation marks"),
    "dash": _counted("dash", "dashes"),
}
