"""Rich text (.rtf), one post each.
Knows where RTF keeps titles and footnotes. Knows nothing of its other commands (striprtf does)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from striprtf.striprtf import rtf_to_text

from adapters.errors import say
from adapters.importers.dates import day_in_name
from adapters.importers.decode import one_line, tidy
from adapters.importers.item import File, Item, Unreadable
from adapters.importers.library import guarded
from adapters.importers.text import split_title

FORMAT: Final = "rtf"
LABEL: Final = "Rich text"

LARGEST: Final = 30_000_000
_BEGINS: Final = b"{\\rtf"
_TITLE: Final = re.compile(r"\{\\title\s+((?:[^{}\\]|\\['u])*)\}")
_AUTHOR: Final = re.compile(r"\{\\author\s+([^{}\\]*)\}")
_NOTE: Final = re.compile(r"\{(?:\\\*)?\\footnote\b")
_BRACE: Final = re.compile(r"(?<!\\)[{}]")


def detect(file: File) -> bool:
    return file.head.lstrip().startswith(_BEGINS)


def items(file: File) -> Iterator[Item]:
    if file.size > LARGEST:
        raise Unreadable(say("import.large_document"))
    raw = file.read().decode("latin-1")  # each byte a character: the text says its encoding itself
    with guarded("import.unreadable"):
        text = _text(_with_notes_at_the_end(raw))
        title = _text("{\\rtf1\\ansi " + found[1] + "}") if (found := _TITLE.search(raw[:100_000])) else ""
    author = _AUTHOR.search(raw[:100_000])
    first, rest = split_title(text)
    yield Item(
        external_id=file.name,
        title=first or one_line(title),
        date=day_in_name(file.name),
        authors=(author[1],) if author else (),
        text=rest,
        original=text,
    )


def _text(raw: str) -> str:
    # Every end of a line is the end of a paragraph in RTF.
    lines = str(rtf_to_text(raw, errors="ignore")).split("\n")
    return tidy("\n\n".join(line.strip() for line in lines))


def _with_notes_at_the_end(raw: str) -> str:
    """Footnotes as paragraphs after the text: striprtf would drop them."""
    kept: list[str] = []
    notes: list[str] = []
    start = 0
    for found in _NOTE.finditer(raw):
        if found.start() < start:
            continue
        end = _end_of_group(raw, found.end())
        kept.append(raw[start : found.start()])
        notes.append("\\par {" + raw[found.end() : end])
        start = end
    kept.append(raw[start:])
    whole = "".join(kept)
    closing = whole.rstrip().rfind("}")
    return whole[:closing] + "".join(notes) + whole[closing:] if notes and closing >= 0 else whole


def _end_of_group(raw: str, start: int) -> int:
    depth = 1
    for brace in _BRACE.finditer(raw, start):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return brace.end()
    return len(raw)
