"""Wix's export, a table of posts.
Knows the table's columns. Knows nothing of the document in which Wix keeps a post (see `ricos`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers.dates import day
from adapters.importers.hypertext import as_paragraphs, marked
from adapters.importers.item import File, Held, Item
from adapters.importers.loose_json import parsed
from adapters.importers.ricos import from_ricos
from adapters.importers.table import columns, rows

FORMAT: Final = "wix"
LABEL: Final = "Wix export"

_COLUMNS: Final = frozenset({"title", "plain content", "published date"})


def detect(file: File) -> bool:
    return columns(file) >= _COLUMNS


def items(file: File) -> Iterator[Item]:
    for row in rows(file):
        external_id = row.get("id") or row.get("internal id") or row.get("slug") or row["title"]
        rich, plain = row.get("rich content", "").strip(), row["plain content"].strip()
        try:
            markup = from_ricos(parsed(rich))
        except RecursionError:
            yield Item(external_id=external_id, title=row["title"], reason=say("import.broken_post"))
            continue
        found = marked(markup or as_paragraphs(plain))
        date = day(row["published date"])
        yield Item(
            external_id=external_id,
            title=row["title"],
            date=date,
            authors=(row.get("author", ""),),
            text=found.text,
            cuts=found.cuts,
            original=rich if markup else plain,
            held=None if row["published date"].strip() else Held.DRAFT,
        )
