"""Tables with commas, row by row: what blog programs list their posts in.
Knows csv and its damages. Knows no columns."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers.item import HEAD, File, Unreadable

# A field can hold a whole post, in markup that is longer than its words.
csv.field_size_limit(20_000_000)
_MARKS: Final = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def columns(file: File) -> frozenset[str]:
    """The names in the first row, in small letters; none where the file is no table."""
    if file.suffix != ".csv":
        return frozenset()
    first = file.head.decode(_encoding(file), "replace").partition("\n")[0]
    try:
        return frozenset(_name(cell) for row in csv.reader([first]) for cell in row)
    except csv.Error:
        return frozenset()


def rows(file: File) -> Iterator[dict[str, str]]:
    """Each row's cells by the names of their columns; a column that it lacks is empty.

    Raises Unreadable, after what could be read, for a table that is damaged or breaks off.
    """
    with file.open() as stream:
        reader = csv.reader(io.TextIOWrapper(stream, encoding=_encoding(file), errors="replace", newline=""))
        names: list[str] = []
        held_back: dict[str, str] | None = None
        short_ones = 0
        try:
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if not names:
                    names = [_name(cell) for cell in cells]
                    continue
                if held_back is not None:
                    yield held_back
                row = dict.fromkeys(names, "") | dict(zip(names, cells, strict=False))
                held_back = row if len(cells) < len(names) else None
                if held_back is None:
                    yield row
                short_ones += held_back is not None
        except csv.Error as error:
            raise Unreadable(say("import.broken_table", line=reader.line_num)) from error
        if held_back is not None:
            # Some programs leave out empty cells at the end of every row. A last row that alone is short breaks off.
            if short_ones == 1:
                raise Unreadable(say("import.broken_table", line=reader.line_num))
            yield held_back


def _name(cell: str) -> str:
    return cell.strip(" \t\r\n\ufeff").lower()


def _encoding(file: File) -> str:
    for mark, encoding in _MARKS.items():
        if file.head.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(file.head, final=file.size <= HEAD)
    except UnicodeDecodeError:
        return "cp1252"  # a spreadsheet program has saved it
    return "utf-8-sig"
