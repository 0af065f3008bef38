"""Described: what a style profile is made of, and how it is kept as JSON.
Knows the shapes alone. Knows nothing of how anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from adapters.style.evidence import Evidence, all_of
from adapters.style.favourites import Favourite
from adapters.style.habits import Habit


@dataclass(frozen=True, kw_only=True)
class Post:
    """What is measured."""

    key: int
    """Names the post in everything that is found in it."""
    title: str
    """As its author gave it; not measured."""
    text: str
    """What the model reads: paragraphs parted by blank lines."""
    written: date | None
    """When, if that is known."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure of an author's style."""

    key: str
    """The measure's name for programs."""
    group: str
    """The measure's group, one of `measures.GROUPS`."""
    name: str
    """The measure's name for people, without the unit."""
    value: float
    """Over all posts together."""
    unit: str
    """What the value counts."""
    low: float
    """A quarter of the posts have less; of passages of 300 words where there are fewer than four posts."""
    high: float
    """A quarter have more."""
    sentence: str
    """A plain sentence to the author."""
    evidence: tuple[Evidence, ...]
    """Sentences that show it; none where it shows in no sentence."""
    mean: float = 0.0
    """Mean over the same posts or passages."""
    spread: float = 0.0
    """Their standard deviation."""
    pieces: int = 0
    """How many posts or passages that is over."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "evidence": list(all_of(self.evidence))}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Measured:
        """The inverse."""
        return cls(**{**kept, "evidence": tuple(map(Evidence.from_dict, kept["evidence"]))})


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One bar of a histogram."""

    low: int
    """The smallest value in it."""
    high: int | None
    """The greatest value in it; None for no bound."""
    share: float
    """Of everything that was counted."""


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How a length is distributed."""

    key: str
    """Its name for programs."""
    name: str
    """For people."""
    unit: str
    """What low and high count."""
    bins: tuple[Bin, ...]
    """From low to high without gaps; their shares make 1, or 0 where nothing was counted."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "bins": [vars(each) for each in self.bins]}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Histogram:
        """The inverse."""
        return cls(**{**kept, "bins": tuple(Bin(**each) for each in kept["bins"])})


@dataclass(frozen=True, kw_only=True)
class Year:
    """The measures of what was written in one year."""

    year: int
    """Of the posts' dates."""
    posts: int
    """How many."""
    words: int
    """In all of them."""
    values: dict[str, float]
    """Key of a measure -> its value; a measure that found nothing is missing."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """An author's style."""

    language: str | None
    """Two letters; None where it was not told."""
    posts: int
    """How many were measured; those without words are not counted."""
    words: int
    """In all of them."""
    sentences: int
    """Of prose: headings and lists are left out."""
    paragraphs: int
    """Of prose."""
    first: date | None
    """Of the oldest dated post."""
    last: date | None
    """Of the newest."""
    measures: tuple[Measured, ...]
    """Group by group; what means nothing in this language, or found nothing, is missing."""
    favourites: tuple[Favourite, ...]
    """Words, then phrases."""
    openings: tuple[Habit, ...]
    """Of sentences, paragraphs and posts."""
    endings: tuple[Habit, ...]
    """Of posts."""
    shapes: tuple[Histogram, ...]
    """Lengths of sentences and paragraphs."""
    years: tuple[Year, ...]
    """Only years with posts, in their order."""
    notes: tuple[str, ...]
    """What was left out and why, in plain sentences."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **vars(self),
            "first": self.first.isoformat() if self.first else None,
            "last": self.last.isoformat() if self.last else None,
            "years": [vars(year) for year in self.years],
            **{name: [each.as_dict() for each in getattr(self, name)] for name in _PARTS},
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Profile:
        """The inverse."""
        return cls(
            **{
                **kept,
                "first": date.fromisoformat(kept["first"]) if kept["first"] else None,
                "last": date.fromisoformat(kept["last"]) if kept["last"] else None,
                "years": tuple(Year(**each) for each in kept["years"]),
                **{name: tuple(kind.from_dict(each) for each in kept[name]) for name, kind in _PARTS.items()},
                "notes": tuple(kept["notes"]),
            }
        )


_PARTS: dict[str, Any] = {
    "measures": Measured,
    "favourites": Favourite,
    "openings": Habit,
    "endings": Habit,
    "shapes": Histogram,
}
