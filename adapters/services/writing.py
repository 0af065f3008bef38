"""Writing: texts kept as samples, included, left out, deleted.
Knows when two texts are the same one. Knows nothing of files or jobs."""

from __future__ import annotations

import hashlib
from datetime import date as Date
from typing import Final

from adapters.errors import UserError
from adapters.importers import LARGEST, Item
from adapters.importers.decode import one_line, tidy
from adapters.importers.text import split_title, unwrap
from adapters.models import Sample, Voice
from adapters.services.base import count_tokens
from adapters.style.meter import words

LONGEST_TITLE: Final = 300


def add_text(*, voice: Voice, text: str, title: str = "", date: Date | None = None) -> Sample:
    """Keep a pasted text. Without a title its first line is one where it looks like it.

    Raises UserError when it is empty, too large, or there already.
    """
    if (size := len(text.encode())) > LARGEST:
        raise UserError("writing.too_large", size=round(size / 1e6, 1), limit=LARGEST // 1_000_000)
    body = unwrap(tidy(text))
    if not title.strip():
        title, body = split_title(body)
    if not body:
        raise UserError("writing.empty")
    item = Item(external_id="", title=one_line(title), date=date, text=body, original=text)
    return keep(voice=voice, source=Sample.Source.PASTE, item=item)


def keep(*, voice: Voice, source: Sample.Source, item: Item) -> Sample:
    """Keep a text that was found, included from the start. Raises UserError when the voice has it already."""
    fields = {
        "source": source,
        "external_id": item.external_id[:300],
        "title": item.title[:LONGEST_TITLE],
        "date": item.date,
        "original": item.original,
        "text": item.read,
        "words": words(item.read),
        "tokens": count_tokens(item.read),
    }
    sample, made = Sample.objects.get_or_create(voice=voice, content_hash=hash_of(item.read), defaults=fields)
    if not made:
        raise UserError("import.duplicate", title=shorten(str(sample) or sample.external_id))
    return sample


def set_included(*, sample: Sample, included: bool) -> None:
    """Whether the next training reads it. Versions that have read it stay as they are."""
    Sample.objects.filter(pk=sample.pk).update(included=included)
    sample.included = included


def delete_sample(*, sample: Sample) -> None:
    """Forget the text. Versions that have read it stay as they are."""
    sample.delete()


def hash_of(text: str) -> str:
    """The same for two texts that differ in white space only."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def shorten(text: str, most: int = 80) -> str:
    """Short enough to be named in a sentence."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
