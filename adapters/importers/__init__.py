"""From files to posts: the formats that can be read, and the one way to read any of them.
Knows the order in which they are tried. Knows nothing of voices, jobs or disks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers import markdown, text
from adapters.importers.item import File, Importer, Item

__all__ = ["FORMATS", "LARGEST", "File", "Importer", "Item", "read", "too_large"]

FORMATS: Final[tuple[Importer, ...]] = (markdown, text)

# A megabyte is a long book. Anything far beyond is an accident, and would keep a worker busy for minutes.
LARGEST: Final = 5_000_000


def read(file: File) -> Iterator[Item]:
    """The posts of `file`, each kept or left out with a reason."""
    if len(file.data) > LARGEST:
        yield Item(external_id=file.name, reason=too_large(len(file.data)))
        return
    for importer in FORMATS:
        if importer.detect(file):
            yield from importer.items(file)
            return
    yield Item(external_id=file.name, reason=say("import.unknown_format"))


def too_large(size: int) -> str:
    """Why a file of `size` bytes is left out."""
    return say("import.too_large", size=round(size / 1e6, 1), limit=LARGEST // 1_000_000)
