"""Posts: an author's finished texts, as the trainer is given them, and why one of them is not read.
Knows their fields. Knows nothing of models, windows or where posts are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, kw_only=True)
class Post:
    """A finished text of the author, cleaned."""

    id: int
    """The caller's number for it; provenance is told in these."""
    title: str
    """May be empty."""
    text: str
    """Paragraphs with blank lines between them."""
    date: date | None = None
    """When it was published; the newest posts are held out."""
    voice: int | str | None = None
    """Whose it is; a data set has posts of one voice."""
    flags: tuple[str, ...] = ()
    """What the caller has found wrong with it. A flagged post is not read."""
    cleaning: str = ""
    """Name of the rule by which the caller made the text from what was brought in; told with everything read of it."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A post that is neither learned from nor measured on."""

    post: int
    """Its id."""
    reason: str
    """`empty`, `flagged: ...`, `another language`, `links`, `code`, `list`, `duplicate` or `near duplicate`."""
    like: int | None = None
    """Id of the older post that it repeats."""
    likeness: float | None = None
    """The share that decided: of words the author's other posts have, of links, of what older posts say already."""
