"""What importers take and give: a file, the posts found in it, and what every importer can do.
Knows no format. Knows nothing of where posts are kept."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path, PurePath
from typing import IO, Protocol

from adapters.importers.marked import Cut, reading

HEAD = 1 << 16
"""Bytes that are enough to tell a format."""


@dataclass(frozen=True, kw_only=True)
class File:
    """Something an author brought in. It may be larger than memory."""

    name: str
    """What they call it, with its ending; in an archive with its folders."""
    size: int
    """Bytes."""
    open: Callable[[], IO[bytes]]
    """From its first byte on; each call anew. What it returns can be sought in, unless the file is in an archive."""
    path: Path | None = None
    """Where it lies, if it is a file of its own."""

    @classmethod
    def of(cls, name: str, data: bytes) -> File:
        """One that is in memory."""
        return cls(name=name, size=len(data), open=lambda: io.BytesIO(data))

    @classmethod
    def at(cls, path: Path, name: str) -> File:
        """One on disk, whatever it is called there. Raises OSError."""
        return cls(name=name, size=path.stat().st_size, open=lambda: path.open("rb"), path=path)

    @property
    def suffix(self) -> str:
        """The ending in small letters, with its dot."""
        return PurePath(self.name).suffix.lower()

    @cached_property
    def head(self) -> bytes:
        """Its first bytes."""
        with self.open() as stream:
            return stream.read(HEAD)

    def read(self) -> bytes:
        """All of it."""
        with self.open() as stream:
            return stream.read()


class Held(StrEnum):
    """Why a post waits for its author to tick it in."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PRIVATE = "private"
    PASSWORD = "password"
    PAGE = "page"
    REPLY = "reply"
    PODCAST = "podcast"
    EXCERPT = "excerpt"
    OTHER_AUTHOR = "other_author"


@dataclass(frozen=True, kw_only=True)
class Item:
    """A post that was found, kept or left out."""

    external_id: str
    """What its source calls it, the same in every export: an id, an address, a file name."""
    title: str = ""
    """Empty where it has none."""
    date: date | None = None
    """The day it was published, where the source says so."""
    authors: tuple[str, ...] = ()
    """Whom the source names. A name may have commas in it."""
    text: str = ""
    """All of its words: paragraphs with blank lines between them."""
    cuts: tuple[Cut, ...] = ()
    """What of `text` the model shall not read, and by which rule."""
    original: str = ""
    """What was brought in, decoded and otherwise unchanged."""
    held: Held | None = None
    """Why it is off by default; None for a post that is imported at once."""
    reason: str = ""
    """Why it cannot be imported at all, as a sentence; empty for all others."""

    @property
    def author(self) -> str:
        """All of them, for people."""
        return ", ".join(self.authors)

    @property
    def read(self) -> str:
        """What the model reads of it, as long as its author overrules nothing."""
        return reading(self.text, self.cuts)


class Importer(Protocol):
    """One format. Its module is the object."""

    FORMAT: str
    """Its id: what a sample's source is."""
    LABEL: str
    """What authors call it."""

    def detect(self, file: File) -> bool:
        """Whether this importer reads such files, by its name and its first bytes, or an archive's list of names."""

    def items(self, file: File) -> Iterator[Item]:
        """Every post of the file in its order; what cannot be read is an item with a reason. Raises Unreadable, after
        whatever was found so far, when the rest of the file cannot be read."""


class Unreadable(ValueError):
    """The file, or the rest of it, cannot be read; the message is a sentence for its author."""
