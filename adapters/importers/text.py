"""Plain text files, one post each.
Knows titles on the first line and hard-wrapped lines. Knows nothing of markup."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers.dates import day_in_name
from adapters.importers.decode import NotText, decode, one_line, tidy
from adapters.importers.item import File, Item

LONGEST_TITLE = 120


FORMAT: Final = "text"
LABEL: Final = "Plain text"


def detect(file: File) -> bool:
    return file.suffix in {".txt", ".text"}


def items(file: File) -> Iterator[Item]:
    try:
        original = decode(file.read())
    except NotText:
        yield Item(external_id=file.name, reason=say("import.not_text"))
        return
    title, text = split_title(unwrap(tidy(original)))
    if not text:
        yield Item(external_id=file.name, reason=say("import.empty"))
        return
    yield Item(external_id=file.name, title=title, date=day_in_name(file.name), text=text, original=original)


def split_title(text: str) -> tuple[str, str]:
    """The first line as the title where it stands alone, is short and is no sentence; else no title."""
    first, _, rest = text.partition("\n\n")
    is_title = rest and "\n" not in first and len(first) <= LONGEST_TITLE and first[-1] not in ".,;:…"
    return (one_line(first), rest) if is_title else ("", text)


def unwrap(text: str) -> str:
    """Join lines that a program broke at a fixed width; lines that the author broke (verse, lists) stay.

    Broken by a program is a text whose lines, the last of each paragraph aside, nearly all end within 50 and 90
    characters.
    """
    paragraphs = text.split("\n\n")
    inner = [len(line) for paragraph in paragraphs for line in paragraph.split("\n")[:-1]]
    if len(inner) < 10 or sum(50 <= length <= 90 for length in inner) < 0.9 * len(inner):
        return text
    return "\n\n".join(" ".join(line.strip() for line in paragraph.split("\n")) for paragraph in paragraphs)
