"""Substack's export, a zip with a table of the posts and a page of each.
Knows the table's columns. Knows nothing of readers: their lists are in the zip too, and are never opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers.archive import Archive, is_zip, opened
from adapters.importers.dates import day
from adapters.importers.decode import NotText, decode
from adapters.importers.hypertext import marked
from adapters.importers.item import File, Held, Item, Unreadable
from adapters.importers.table import columns, rows

FORMAT: Final = "substack"
LABEL: Final = "Substack export"

_TABLE: Final = re.compile(r"(?:^|/)posts\.csv$")
_COLUMNS: Final = frozenset({"post_id", "is_published", "title"})
_PAGE: Final = re.compile(r"(?:^|/)posts/([^/]+)\.html$")
_KINDS: Final = {"podcast": Held.PODCAST, "video": Held.PODCAST, "page": Held.PAGE}


def detect(file: File) -> bool:
    if is_zip(file):
        with opened(file) as archive:
            table = _table(archive)
            return table is not None and columns(table) >= _COLUMNS
    return columns(file) >= _COLUMNS


def items(file: File) -> Iterator[Item]:
    if not is_zip(file):
        raise Unreadable(say("import.list_only"))
    with opened(file) as archive:
        table = _table(archive)
        assert table is not None  # detect has seen it
        pages = {found[1]: name for name in archive.names if (found := _PAGE.search(name))}
        damage = ""
        try:
            for row in rows(table):
                post = row.get("post_id", "").strip()
                yield _item(post, row, archive, pages.pop(post, ""))
        except Unreadable as error:
            damage = str(error)
        for post, name in pages.items():  # whose row is missing: nobody knows whether they were ever published
            yield _item(post, {}, archive, name)
        if damage:
            raise Unreadable(damage)


def _table(archive: Archive) -> File | None:
    return next((archive.get(name) for name in archive.names if _TABLE.search(name)), None)


def _item(post: str, row: dict[str, str], archive: Archive, name: str) -> Item:
    title = row.get("title", "")
    date = day(row.get("post_date"))
    try:
        original = decode(archive.get(name).read()) if name else ""
    except NotText:
        return Item(external_id=post, title=title, date=date, reason=say("import.not_text"))
    except Unreadable as error:
        return Item(external_id=post, title=title, date=date, reason=str(error))
    if not name:
        return Item(external_id=post, title=title, date=date, reason=say("import.missing_text"))
    found = marked(original)
    published = row.get("is_published", "").strip().lower() == "true"
    held = _KINDS.get(row.get("type", "").strip().lower()) or (None if published else Held.DRAFT)
    return Item(
        external_id=post, title=title, date=date, text=found.text, cuts=found.cuts, original=original, held=held
    )
