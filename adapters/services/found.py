"""Found: posts as an import keeps them until they are taken, and files that it leaves out.
Knows the columns and the shape of what is kept. Knows nothing of how posts are read or taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from adapters.importers import Cut, Item
from adapters.models import ImportFile, ImportItem, Sample
from adapters.style.meter import words

State = ImportItem.State

# Posts that are written to the database at once.
AT_ONCE: Final = 100


def row_of(file: ImportFile, item: Item) -> ImportItem:
    return ImportItem(
        job=file.job,
        file=file,
        source=file.source,
        external_id=_short(item.external_id, 300),
        title=item.title[:300],
        authors=list(item.authors),
        date=item.date,
        words=words(item.read),
        state=State.SKIPPED if item.reason else State.FOUND,
        held=item.held or "",
        reason=item.reason[:500],
        content=None if item.reason else _content(item),
    )


def leave_out(file: ImportFile, reason: str) -> None:
    ImportItem.objects.create(
        job=file.job, file=file, external_id=_short(file.name, 300), state=State.SKIPPED, reason=reason
    )


def _content(item: Item) -> dict[str, Any]:
    return {
        "text": item.text,
        "cuts": [[cut.start, cut.end, cut.rule] for cut in item.cuts],
        "original": item.original,
    }


def content_of(sample: Sample) -> dict[str, Any]:
    return {"text": sample.whole, "cuts": sample.cuts, "original": sample.original}


def item_of(row: ImportItem) -> Item:
    content = row.content or {"text": "", "cuts": [], "original": ""}
    return Item(
        external_id=row.external_id,
        title=row.title,
        authors=tuple(row.authors),
        date=row.date,
        text=content["text"],
        cuts=tuple(Cut(start=start, end=end, rule=rule) for start, end, rule in content["cuts"]),
        original=content["original"],
    )


def _short(name: str, most: int) -> str:
    return name[-most:].replace("\0", "")


def batches(some: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(some)
    while found := list(islice(rest, size)):
        yield found
