"""beehiiv's export, a table with a page in each row.
Knows the table's columns and where in a page the post is. Knows nothing of readers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.importers.dates import day
from adapters.importers.hypertext import marked_element, parse
from adapters.importers.item import File, Held, Item
from adapters.importers.marked import Marked
from adapters.importers.table import columns, rows

FORMAT: Final = "beehiiv"
LABEL: Final = "beehiiv export"

_COLUMNS: Final = frozenset({"id", "web_title", "content_html"})
_STATUSES: Final = {"confirmed": None, "published": None, "archived": Held.PRIVATE, "scheduled": Held.SCHEDULED}


def detect(file: File) -> bool:
    return columns(file) >= _COLUMNS


def items(file: File) -> Iterator[Item]:
    for row in rows(file):
        found = _body(row["content_html"])
        yield Item(
            external_id=row["id"] or row.get("url", ""),
            title=row["web_title"] or row.get("email_subject_line", ""),
            date=day(row.get("publish_date") or row.get("created_at")),
            text=found.text,
            cuts=found.cuts,
            original=row["content_html"],
            held=_STATUSES.get(row.get("status", "confirmed").strip().lower(), Held.DRAFT),
        )


def _body(markup: str) -> Marked:
    """What stands around the post, a head and a foot, is that of the newsletter."""
    page = parse(markup)
    if page is None:
        return Marked()
    post = page.find(".//*[@id='content-blocks']")
    return marked_element(page if post is None else post)
