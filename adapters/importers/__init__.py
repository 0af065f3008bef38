"""From files to posts: the formats that can be read, and the one way to read any of them.
Knows the order in which they are tried. Knows nothing of voices, jobs or disks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from adapters.errors import say
from adapters.importers import (
    beehiiv,
    blogger,
    buttondown,
    docx,
    epub,
    feed,
    folder,
    ghost,
    mail,
    markdown,
    medium,
    odt,
    pdf,
    rtf,
    substack,
    text,
    webpage,
    wix,
    wordpress,
)
from adapters.importers.cleaning import clean
from adapters.importers.decode import one_line
from adapters.importers.item import File, Held, Importer, Item, Unreadable
from adapters.importers.marked import Cut, Marked, reading
from adapters.importers.unknown import unknown

__all__ = [
    "FORMATS", "LARGEST", "LONGEST", "LONGEST_NAME", "Cut", "File", "Held", "Importer", "Item", "Unreadable",
    "finished", "importer_of", "read", "reading", "too_large", "unknown",
]  # fmt: skip

FORMATS: Final[tuple[Importer, ...]] = (
    wordpress, ghost, medium, substack, blogger, beehiiv, buttondown, wix, docx, odt, epub, folder, feed, pdf, rtf,
    mail, webpage, markdown, text,
)  # fmt: skip
"""The first that knows a file reads it: those that look into it come before those that go by its name."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

LONGEST_NAME: Final = 200
"""Characters of an author's."""
LARGEST: Final = 200_000_000
"""Bytes of an upload."""
LONGEST: Final = 5_000_000
"""Characters of a post. A tenth of it is a long book; anything far beyond would keep a worker busy for minutes."""


def importer_of(file: File) -> Importer | None:
    """Whoever reads such files; None for an unknown format. Raises Unreadable for what is broken or hostile."""
    return next((importer for importer in FORMATS if importer.detect(file)), None)


def read(file: File) -> Iterator[Item]:
    """The posts of `file`, each kept, held back or left out with a reason; never an exception for what is in it."""
    if file.size > LARGEST:
        yield Item(external_id=file.name, reason=too_large(file.size))
        return
    found = False
    try:
        importer = importer_of(file)
        if importer is None:
            yield Item(external_id=file.name, reason=unknown(file))
            return
        for item in importer.items(file):
            found = True
            yield finished(item)
    except Unreadable as error:
        yield Item(external_id=file.name, reason=str(error))
        return
    if not found:
        yield Item(external_id=file.name, reason=say("import.nothing_found"))


def finished(item: Item) -> Item:
    """With its paragraphs cleaned; left out when nothing is left to read."""
    item = _storable(item)
    title = one_line(item.title)
    if item.reason:
        return replace(item, title=title)
    if len(item.text) > LONGEST:
        reason = say("import.long_post", size=round(len(item.text) / 1e6, 1), limit=LONGEST // 1_000_000)
        return Item(external_id=item.external_id, title=title, date=item.date, authors=item.authors, reason=reason)
    marked = clean(Marked(text=item.text, cuts=item.cuts), author=item.author)
    found = replace(item, title=title, text=marked.text, cuts=marked.cuts)
    return found if found.read else replace(found, reason=say("import.nothing_to_read"))


def _storable(item: Item) -> Item:
    return replace(
        item,
        external_id=_without_unstorable(item.external_id),
        title=_without_unstorable(item.title),
        authors=_names(item.authors),
        text=_without_unstorable(item.text),
        original=_without_unstorable(item.original),
    )


def _names(authors: Iterable[str]) -> tuple[str, ...]:
    names = (one_line(_without_unstorable(author), LONGEST_NAME) for author in authors)
    return tuple(dict.fromkeys(name for name in names if name))


def _without_unstorable(text: str) -> str:
    # JSON and XML can name characters that no database takes. One stands in for one, so that cuts stay where they are.
    return _UNSTORABLE.sub("\ufffd", text)


def too_large(size: int) -> str:
    """Why a file of `size` bytes is left out."""
    return say("import.too_large", size=round(size / 1e6, 1), limit=LARGEST // 1_000_000)
