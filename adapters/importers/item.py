"""What importers take and give: a file, the posts found in it, and what every importer can do.
Knows no format. Knows nothing of where posts are kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import PurePath
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class File:
    """Something an author brought in."""

    name: str
    """What they call it, with its ending."""
    data: bytes
    """Its content."""

    @property
    def suffix(self) -> str:
        """The ending in small letters, with its dot."""
        return PurePath(self.name).suffix.lower()


@dataclass(frozen=True, kw_only=True)
class Item:
    """A post that was found, kept or left out."""

    external_id: str
    """What its source calls it: a file name."""
    title: str = ""
    """Empty where it has none."""
    date: date | None = None
    """The day it was published, where the source says so."""
    text: str = ""
    """What the model reads: paragraphs with blank lines between them."""
    original: str = ""
    """What was brought in, decoded and otherwise unchanged."""
    reason: str = ""
    """Why it is left out, as a sentence; empty for a post that is kept."""


class Importer(Protocol):
    """One format. Its module is the object."""

    def detect(self, file: File) -> bool:
        """Whether this importer reads such files."""

    def items(self, file: File) -> Iterator[Item]:
        """Every post of the file in its order; what cannot be read is an item with a reason, never an exception."""
