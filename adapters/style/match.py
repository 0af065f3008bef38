"""Voice match: where a text falls among an author's own pieces of its length, as a whole and paragraph by paragraph.
Knows what is kept of an author's posts for that. Knows nothing of voices' records or of who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np

from adapters.style.background import Background, background
from adapters.style.described import Post
from adapters.style.language import ENGLISH, detect
from adapters.style.plainly import count, figure
from adapters.style.reading import pieces, read
from adapters.style.reasons import reasons
from adapters.style.scales import Scale, apart, measured
from adapters.style.tally import TALLIED_MARKS, Floats, Tally, tally
from adapters.style.traits import traits
from adapters.style.usual import Used, Usual, used

SHORTEST: Final = 25
"""Words. Of less, a style can hardly be told."""
UNUSUAL: Final = 20
UNLIKE: Final = 5
"""Percent of the author's own pieces that are at least as far."""
POSTS_AT_LEAST: Final = 4
"""Of fewer posts, passages stand in for posts."""
PASSAGE: Final = 300

Level = Literal["like you", "a little unusual", "unlike you"]


@dataclass(frozen=True, kw_only=True)
class ParagraphMatch:
    """How like the author one paragraph is."""

    start: int
    """Position of its first character in the text."""
    end: int
    """Position after its last one."""
    words: int
    """How many it has."""
    percentile: float | None
    """As that of the whole; None when it is too short to say."""
    level: Level | None
    """The same in words."""
    why: tuple[str, ...]
    """Up to three reasons where it is unusual; that it is too short, where it is."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """How like the author a text is."""

    percentile: float | None
    """Percent of the author's own held-out pieces of about this length that lie at least as far from what is usual: 50
    is quite ordinary, under 5 is unlike. None when there is too little to say."""
    level: Level | None
    """The same in words."""
    words: int
    """How many the text has."""
    sentence: str
    """A plain sentence to the author."""
    why: tuple[str, ...]
    """Up to three reasons with figures where it is unusual."""
    paragraphs: tuple[ParagraphMatch, ...]
    """Those with words."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        paragraphs = [{**vars(each), "why": list(each.why)} for each in self.paragraphs]
        return {**vars(self), "why": list(self.why), "paragraphs": paragraphs}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Match:
        """The inverse."""
        paragraphs = tuple(ParagraphMatch(**{**each, "why": tuple(each["why"])}) for each in kept["paragraphs"])
        return cls(**{**kept, "why": tuple(kept["why"]), "paragraphs": paragraphs})


@dataclass(frozen=True, kw_only=True)
class Voiceprint:
    """What is kept of an author's posts to compare texts with. No sentence of theirs is in it."""

    language: str | None
    """Two letters; None where it was not told."""
    posts: int
    """How many it was made from."""
    words: int
    """In all of them."""
    counts: dict[str, int]
    """Common word -> how often the author used it."""
    marks: dict[str, int]
    """Mark -> how often."""
    lengths: tuple[int, ...]
    """How many sentences of each class of `tally.LENGTHS`."""
    scales: tuple[Scale, ...]
    """The author's own held-out pieces by their length, short ones first."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: some tens of kilobytes."""
        return {
            "language": self.language,
            "posts": self.posts,
            "words": self.words,
            "counts": dict(self.counts),
            "marks": dict(self.marks),
            "lengths": list(self.lengths),
            "scales": [scale.as_dict() for scale in self.scales],
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Voiceprint:
        """The inverse."""
        scales = tuple(map(Scale.from_dict, kept["scales"]))
        return cls(**{**kept, "lengths": tuple(kept["lengths"]), "scales": scales})

    def match(self, text: str) -> Match:
        """Compare a text; the same text gives the same answer."""
        reading = read(text, self.language or ENGLISH)
        counted = tally(reading, self._back.numbers)
        near = self._usual.nearness(counted)
        paragraphs = []
        for paragraph, (first, last) in zip(reading.paragraphs, counted.paragraphs, strict=True):
            percentile, why = self._compared(counted, near, first, last)
            paragraphs.append(
                ParagraphMatch(
                    start=paragraph.start,
                    end=paragraph.end,
                    words=paragraph.words,
                    percentile=percentile,
                    level=_level(percentile),
                    why=why or (() if percentile is not None else (_too_little(paragraph.words, self),)),
                )
            )
        percentile, why = self._compared(counted, near, 0, len(counted.spans))
        return Match(
            percentile=percentile,
            level=_level(percentile),
            words=len(reading.words),
            sentence=_sentence(percentile, len(reading.words), self),
            why=why,
            paragraphs=tuple(paragraphs),
        )

    def _compared(self, text: Tally, near: Floats, first: int, last: int) -> tuple[float | None, tuple[str, ...]]:
        words = int(text.words[first:last].sum())
        if words < SHORTEST or not self.scales:
            return None, ()
        found = traits(text.counts[first:last].sum(axis=0, keepdims=True))[0]
        _, percentile = apart(self.scales, words, float(near[first:last].sum()) / words, found)
        if percentile >= UNUSUAL:
            return round(percentile, 1), ()
        return round(percentile, 1), reasons(text, first, last, self._usual, tuple(self._back.numbers), self.scales)

    @cached_property
    def _back(self) -> Background:
        return background(self.language)

    @cached_property
    def _usual(self) -> Usual:
        own = Used(
            total=self.words,
            words=np.array([self.counts.get(word, 0) for word in self._back.numbers], dtype=np.int64),
            marks=np.array([self.marks[name] for name in TALLIED_MARKS], dtype=np.float64),
            lengths=np.array(self.lengths, dtype=np.int64),
        )
        return Usual(own, self._back)


def fit(posts: Sequence[Post], language: str | None = None) -> Voiceprint:
    """Learn what is usual for an author, and how far the author's own held-out pieces lie from it.

    Posts are held out by tenths; of fewer than four posts, passages of 300 words. Too few for twenty pieces of 25 words
    leave the voiceprint without scales, and its matches without percentiles. Raises ValueError when no post has a word.
    """
    if language is None:
        language = detect("\n\n".join(post.text[:20_000] for post in posts[:50]))
    back = background(language)
    texts = [each for each in _texts(posts, language, back) if len(each.spans)]
    if not texts:
        raise ValueError("posts: none of them has a word; give at least one that has")
    own = used(texts, len(back.words))
    return Voiceprint(
        language=language,
        posts=sum(bool(read(post.text).words) for post in posts) if len(posts) < POSTS_AT_LEAST else len(texts),
        words=int(own.total),
        counts={word: int(times) for word, times in zip(back.numbers, own.words.tolist(), strict=True) if times},
        marks={name: int(times) for name, times in zip(TALLIED_MARKS, own.marks.tolist(), strict=True)},
        lengths=tuple(own.lengths.tolist()),
        scales=measured(texts, back),
    )


def _texts(posts: Sequence[Post], language: str | None, back: Background) -> Iterator[Tally]:
    for post in posts:
        reading = read(post.text, language or ENGLISH)
        if len(posts) >= POSTS_AT_LEAST:
            yield tally(reading, back.numbers)
            continue
        for start, end in pieces(reading, PASSAGE):
            yield tally(read(post.text[start:end], language or ENGLISH), back.numbers)


def _level(percentile: float | None) -> Level | None:
    if percentile is None:
        return None
    return "unlike you" if percentile < UNLIKE else "a little unusual" if percentile < UNUSUAL else "like you"


def _too_little(words: int, voiceprint: Voiceprint) -> str:
    if words < SHORTEST:
        return f"Too short to say: {count(words, 'word')}, and {SHORTEST} are needed."
    return f"Too little of your own writing to compare with: {figure(voiceprint.words)} words; add posts."


def _sentence(percentile: float | None, words: int, voiceprint: Voiceprint) -> str:
    if percentile is None:
        return _too_little(words, voiceprint)
    share = f"{figure(percentile)} in 100" if percentile >= 1 else "hardly any"
    begins = {"like you": "Like you", "a little unusual": "A little unusual for you", "unlike you": "Unlike you"}
    told = begins[_level(percentile) or "like you"]
    return f"{told}: of your own pieces of about this length, {share} are as far from your usual, or farther."
