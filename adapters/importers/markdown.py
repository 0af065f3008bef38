"""Markdown files with or without front matter, one post each.
Knows their endings. Knows nothing of Markdown's own syntax (see `prose`) or of the fields (see `front_matter`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers import front_matter
from adapters.importers.decode import NotText, decode, tidy
from adapters.importers.item import File, Item
from adapters.importers.prose import prose

FORMAT: Final = "markdown"
LABEL: Final = "Markdown"


def detect(file: File) -> bool:
    return file.suffix in {".md", ".markdown", ".mdown", ".mdx"}


def items(file: File) -> Iterator[Item]:
    try:
        original = decode(file.read())
    except NotText:
        yield Item(external_id=file.name, reason=say("import.not_text"))
        return
    if not original.strip():
        yield Item(external_id=file.name, reason=say("import.empty"))
        return
    fields, body = front_matter.split(original)
    title, marked = prose(tidy(body))
    yield front_matter.post(fields, name=file.name, title=title, marked=marked, original=original)
