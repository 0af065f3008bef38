"""Favourites: words and phrases that an author uses more than general English would.
Knows readings and the frequencies of general language. Knows nothing of the other measures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from adapters.style import lexicon
from adapters.style.evidence import Evidence, Place, Shelf, all_of
from adapters.style.reading import Reading

WORDS: Final = 30
PHRASES: Final = 30
PASSAGE: Final = 400
"""Words of the passages in which a word is looked for: one that comes ten times in one place counts as once."""
LONGEST: Final = 4
_GRAMMAR: Final = frozenset(("a", "an", "the", "to", "is", "was", "are", "were", "be"))
"""With one other word they make grammar and no phrase: `to learn`, `the house`."""
_LEAST: Final = 1e-7
"""Share of a word that is missing from the list, which ends near it."""


@dataclass(frozen=True, kw_only=True)
class Favourite:
    """A word or a phrase."""

    text: str
    """In small letters, `I` aside."""
    times: int
    """How often it stands in the posts."""
    per_10_000: float
    """The same per 10,000 words."""
    general_per_10_000: float | None
    """In general language; None for a phrase, of which that is not known, and for a word that no list has."""
    posts: int
    """In how many posts."""
    evidence: tuple[Evidence, ...]
    """One or two places."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "evidence": list(all_of(self.evidence))}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Favourite:
        """The inverse."""
        return cls(**{**kept, "evidence": tuple(map(Evidence.from_dict, kept["evidence"]))})


def favourites(readings: Mapping[int, Reading], language: str, shelf: Shelf) -> tuple[Favourite, ...]:
    """Words first, then phrases of two to four words, the most telling of each first.

    What counts is in how many passages of 400 words something stands, against how many general language would put it
    into; and it has to stand in at least two posts, or in a twentieth of many.
    """
    general = lexicon.general(language)
    if not general:
        return ()
    total = sum(len(reading.words) for reading in readings.values())
    times: Counter[str] = Counter()
    passages: Counter[str] = Counter()
    posts: Counter[str] = Counter()
    number = 0
    for reading in readings.values():
        here: Counter[str] = Counter()
        inside: dict[int, set[str]] = {}
        for place, text in _grams(reading):
            here[text] += 1
            inside.setdefault(place // PASSAGE, set()).add(text)
        for found in inside.values():
            passages.update(found)
        number += len(inside)
        times.update(here)
        posts.update(here.keys())
    least = min(len(readings), max(2, round(len(readings) / 20)))
    scored = [
        (_surprise(passages[text], number, _expected(text, general)), text)
        for text, spread in posts.items()
        if spread >= least and times[text] >= 3
    ]
    ranked = sorted((each for each in scored if each[0] > 0), key=lambda each: (-each[0], each[1]))
    words = [text for _, text in ranked if " " not in text][:WORDS]
    phrases = _without_parts([text for _, text in ranked if " " in text and _says_something(text)], times)
    return tuple(
        Favourite(
            text=lexicon.shown(text),
            times=times[text],
            per_10_000=1e4 * times[text] / total,
            general_per_10_000=1e4 * general[text] if " " not in text and text in general else None,
            posts=posts[text],
            evidence=shelf.show(_holds(text), most=2, around=_pattern(text)),
        )
        for text in (*words, *phrases)
    )


def _grams(reading: Reading) -> Iterator[tuple[int, str]]:
    # Runs of words with nothing but spaces between them, each with the place of its first word.
    words, places, text = reading.words, reading.places, reading.text
    joined = [text[one[1] : other[0]] in (" ", "\n") for one, other in pairwise(places)]
    for place, word in enumerate(words):
        if not word[0].isdigit() and len(word) > 1:
            yield place, word
        phrase = word
        for size in range(1, LONGEST):
            if place + size >= len(words) or not joined[place + size - 1]:
                break
            phrase += " " + words[place + size]
            yield place, phrase


def _expected(text: str, general: Mapping[str, float]) -> float:
    """The chance of a word at one place; for a phrase, between that of its words coming independently and the most it
    could be, which is that of its rarest word."""
    chances = [general.get(word, _LEAST) for word in text.split(" ")]
    return chances[0] if len(chances) == 1 else math.sqrt(math.prod(chances) * min(chances))


def _surprise(passages: int, number: int, chance: float) -> float:
    """Likelihood ratio (Dunning, 1993) of standing in so many passages; 0 where it is no more than expected."""
    expected = -math.expm1(PASSAGE * math.log1p(-min(0.5, chance)))
    share = passages / number
    if share <= expected:
        return 0.0
    rest = (number - passages) * math.log((1 - share) / (1 - expected)) if passages < number else 0.0
    return passages * math.log(share / expected) + rest


def _says_something(phrase: str) -> bool:
    words = phrase.split(" ")
    if len(words) == 2 and not _GRAMMAR.isdisjoint(words):
        return False
    return any(word not in lexicon.FUNCTION_WORDS and not word[0].isdigit() for word in words)


def _without_parts(ranked: Sequence[str], times: Counter[str]) -> list[str]:
    """The best phrases, none of which is a part of another."""
    chosen: list[str] = []
    for phrase in ranked:
        longer = [other for other in chosen if f" {phrase} " in f" {other} "]
        shorter = [other for other in chosen if f" {other} " in f" {phrase} "]
        # A longer phrase stands for its part when it is most of what the part is used for.
        if longer or any(2 * times[phrase] < times[other] for other in shorter):
            continue
        if not shorter and len(chosen) >= PHRASES:
            continue
        chosen = [other for other in chosen if other not in shorter] + [phrase]
    return chosen[:PHRASES]


def _holds(text: str) -> Any:
    wanted = text.split(" ")
    size = len(wanted)

    def holds(place: Place) -> bool:
        words = place.words
        return wanted[0] in words and any(
            list(words[start : start + size]) == wanted for start in range(len(words) - size + 1)
        )

    return holds


def _pattern(text: str) -> re.Pattern[str]:
    escaped = re.escape(text).replace("'", "['’‘]").replace(r"\ ", r"\s")
    return re.compile(rf"(?<!\w){escaped}(?!\w)", re.IGNORECASE)
