"""PDF files, one post each.
Knows that pages have no paragraphs, only lines. Knows nothing of how letters come onto a page (pypdf does)."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from pypdf import PdfReader
from pypdf.errors import DependencyError

from adapters.errors import say
from adapters.importers.dates import day, day_in_name
from adapters.importers.decode import tidy
from adapters.importers.item import File, Item, Unreadable
from adapters.importers.library import guarded
from adapters.importers.marked import Builder
from adapters.importers.text import split_title

FORMAT: Final = "pdf"
LABEL: Final = "PDF"

MOST_PAGES: Final = 2_000
LONGEST: Final = 120.0
"""Seconds. Looked at between pages: a single one cannot be stopped, but what it unpacks to is limited by pypdf."""
_EDGE: Final = 2
"""Lines at the top and the bottom of a page that may be its header or footer."""
_NUMBER: Final = re.compile(
    r"(?:page\s+)?[-–—\s]*(?:\d{1,4}|[ivxlc]{1,7})[-–—\s]*(?:(?:of|/)\s*\d{1,4})?", re.IGNORECASE
)
_END: Final = re.compile(r"[.!?:…][\"'”’)\]]*$")
_HYPHEN: Final = re.compile(r"[^\W\d_]-$")
_MADE_UP: Final = re.compile(
    r"\.(?:docx?|odt|pdf|pages|tex|indd)$|^untitled|^microsoft word\b|^document\d*$", re.IGNORECASE
)


def detect(file: File) -> bool:
    return b"%PDF-" in file.head[:1024]


def items(file: File) -> Iterator[Item]:
    started = time.monotonic()
    with guarded("import.unreadable"):
        reader = PdfReader(io.BytesIO(file.read()), strict=False)
        _unlock(reader)
        count = len(reader.pages)
    if count > MOST_PAGES:
        raise Unreadable(say("import.many_pages", count=f"{count:,}", limit=f"{MOST_PAGES:,}"))
    pages: list[list[str]] = []
    for number in range(count):
        if time.monotonic() - started > LONGEST:
            break
        with guarded("import.unreadable"):
            pages.append([line.strip() for line in tidy(reader.pages[number].extract_text()).split("\n")])
    if len(pages) == count and not any(line for page in pages for line in page):
        raise Unreadable(say("import.scanned_pdf"))
    if any(line for page in pages for line in page):
        yield _post(file.name, pages, _about(reader))
    if len(pages) < count:
        raise Unreadable(say("import.slow_pdf", count=len(pages)))


def _unlock(reader: PdfReader) -> None:
    """Many are locked against printing only, with an empty password. Raises Unreadable for the others."""
    try:
        locked = reader.is_encrypted and not reader.decrypt("")
    except (DependencyError, NotImplementedError) as error:
        raise Unreadable(say("import.encrypted_document")) from error
    if locked:
        raise Unreadable(say("import.encrypted_document"))


def _about(reader: PdfReader) -> dict[str, Any]:
    """What the program that made it says; nothing where that is damaged."""
    try:
        with guarded("import.unreadable"):
            about = reader.metadata
            if about is None:
                return {}
            return {"title": str(about.title or ""), "author": str(about.author or ""), "created": about.creation_date}
    except Unreadable:
        return {}


def _post(name: str, pages: list[list[str]], about: dict[str, Any]) -> Item:
    builder = Builder()
    for paragraph in _paragraphs(pages):
        builder.block(paragraph)
    marked = builder.done()
    said = "" if _MADE_UP.search(about.get("title", "").strip()) else about.get("title", "")
    return Item(
        external_id=name,
        title=said or split_title(marked.text)[0],
        date=day_in_name(name) or day(about.get("created")),
        authors=() if "@" in about.get("author", "") else (about.get("author", ""),),
        text=marked.text,
        cuts=marked.cuts,
        original="\n\n".join("\n".join(page) for page in pages),
    )


def _paragraphs(pages: list[list[str]]) -> Iterator[list[tuple[str, str]]]:
    """Lines joined into paragraphs, also across pages; headers and footers stay where they are, as cuts."""
    repeated = _repeated(pages)
    lengths = sorted(len(line) for page in pages for line in page if line)
    full = lengths[len(lengths) * 3 // 4] if lengths else 0  # characters of a line that reaches the margin
    runs: list[tuple[str, str]] = []
    last = ""
    for page in pages:
        at_edge = _edges(page)
        for place, line in enumerate(page):
            if not line:
                # A blank line ends a paragraph, but for one beside a header.
                if runs and last and _END.search(last):
                    yield runs
                    runs, last = [], ""
                continue
            if place in at_edge and _key(line) in repeated:
                runs.append((f"\n{line}\n" if runs else f"{line}\n", "boilerplate"))
                continue
            if last and _ends(last, line, full):
                yield runs
                runs, last = [], ""
            if last and _HYPHEN.search(last) and line[:1].islower():
                place_of_last = max(at for at, run in enumerate(runs) if not run[1])
                runs[place_of_last] = (runs[place_of_last][0][:-1], "")
            elif last:
                line = f" {line}"
            runs.append((line, ""))
            last = line.strip()
    if runs:
        yield runs


def _ends(line: str, following: str, full: int) -> bool:
    """Whether a paragraph ends with `line`: short of the margin, at the end of a sentence or as a heading."""
    if len(line) >= 0.85 * full:
        return False
    return bool(_END.search(line)) or (len(line) < 0.6 * full and following[:1].isupper())


def _repeated(pages: list[list[str]]) -> set[str]:
    """What stands at the edges of many pages, its numbers aside."""
    found = Counter(key for page in pages for key in {_key(page[place]) for place in _edges(page)})
    least = max(3, len(pages) // 4)  # left and right pages may differ, and first pages of chapters have none
    return {key for key, count in found.items() if count >= least}


def _edges(page: list[str]) -> set[int]:
    """The places of its first and last lines."""
    written = [place for place, line in enumerate(page) if line]
    return {*written[:_EDGE], *written[-_EDGE:]}


def _key(line: str) -> str:
    return "#" if _NUMBER.fullmatch(line) else re.sub(r"\d+", "#", line).casefold()
