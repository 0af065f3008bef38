"""Habits: the words with which an author begins sentences, paragraphs and posts, and ends posts.
Knows readings. Knows nothing of other authors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.style import lexicon
from adapters.style.evidence import Evidence, Place, Shelf, all_of
from adapters.style.plainly import some_of
from adapters.style.reading import Reading, Span

TIMES: Final = 3
"""A beginning that came less often is no habit."""
SHARE: Final = 0.01
_MOST: Final = 6
_NAMES: Final = {"sentences": "sentence", "paragraphs": "paragraph", "posts": "post"}


@dataclass(frozen=True, kw_only=True)
class Habit:
    """First or last words that come again and again."""

    where: str
    """What begins or ends so: `sentences`, `paragraphs` or `posts`."""
    text: str
    """The words, in small letters, `I` aside."""
    times: int
    """How often."""
    share: float
    """Of all sentences, paragraphs or posts."""
    sentence: str
    """A plain sentence to the author."""
    evidence: tuple[Evidence, ...]
    """One or two places."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "evidence": list(all_of(self.evidence))}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Habit:
        """The inverse."""
        return cls(**{**kept, "evidence": tuple(map(Evidence.from_dict, kept["evidence"]))})


def openings(readings: Mapping[int, Reading], shelf: Shelf) -> tuple[Habit, ...]:
    """First words of sentences, paragraphs and posts; the most usual first in each."""
    sentences = [(reading, span) for reading in readings.values() for span in reading.sentences]
    paragraphs = [(reading, each.sentences[0]) for reading in readings.values() for each in reading.prose]
    posts = [(reading, first.sentences[0]) for reading in readings.values() for first in list(reading.prose)[:1]]
    return (
        *_habits("sentences", sentences, _first, lambda place: True, shelf, "begin"),
        *_habits("paragraphs", paragraphs, _first, lambda place: place.number == 0, shelf, "begin"),
        *_habits("posts", posts, _first, lambda place: place.opens, shelf, "begin"),
    )


def endings(readings: Mapping[int, Reading], shelf: Shelf) -> tuple[Habit, ...]:
    """Last words of posts, and first words of their last sentences."""
    lasts = [(reading, last.sentences[-1]) for reading in readings.values() for last in list(reading.prose)[-1:]]
    return tuple(_habits("posts", lasts, _last, _closes, shelf, "end"))


def _first(reading: Reading, span: Span, words: int) -> str:
    return " ".join(reading.words[span.first : min(span.last, span.first + words)])


def _last(reading: Reading, span: Span, words: int) -> str:
    return " ".join(reading.words[max(span.first, span.last - words) : span.last])


def _closes(place: Place) -> bool:
    return place.closes and place.number == len(place.paragraph.sentences) - 1


def _habits(
    where: str,
    spans: list[tuple[Reading, Span]],
    cut: Callable[[Reading, Span, int], str],
    stands: Callable[[Place], bool],
    shelf: Shelf,
    verb: str,
) -> Iterable[Habit]:
    least = max(TIMES, SHARE * len(spans))
    counted = {
        size: Counter(cut(reading, span, size) for reading, span in spans if span.words >= size) for size in (1, 2, 3)
    }
    chosen = _most(counted[1], least) + _most(counted[2] + counted[3], least)
    for times, text in sorted(chosen, key=lambda each: (-each[0], each[1])):
        size = text.count(" ") + 1
        one = _NAMES[where]
        part = some_of(times, len(spans), one)
        told = lexicon.shown(text[:1].upper() + text[1:] if verb == "begin" else text)

        def begins(place: Place, text: str = text, size: int = size) -> bool:
            return stands(place) and cut(place.reading, place.paragraph.sentences[place.number], size) == text

        yield Habit(
            where=where,
            text=lexicon.shown(text),
            times=times,
            share=times / len(spans),
            sentence=f"You {verb} {part} with “{told}”.",
            evidence=shelf.show(begins, most=2),
        )


def _most(counted: Counter[str], least: float) -> list[tuple[int, str]]:
    often = [(times, text) for text, times in counted.items() if times >= least]
    return sorted(often, key=lambda each: (-each[0], each[1]))[:_MOST]
