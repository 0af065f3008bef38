"""Writing: texts kept as samples, once each, and brought up to date when they come again.
Knows when two texts are the same one. Knows nothing of files, jobs or what their author decides afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date as Date
from typing import Any, Final

from django.db import transaction

from adapters import sources
from adapters.errors import UserError, say
from adapters.importers import LONGEST, Item, reading
from adapters.importers.cleaning import clean
from adapters.importers.decode import one_line, tidy
from adapters.importers.marked import Marked
from adapters.importers.text import split_title, unwrap
from adapters.models import ImportItem, Sample, Voice
from adapters.services.base import count_tokens
from adapters.services.flags import flags_of, review_one
from adapters.style import likeness
from adapters.style.meter import words

LONGEST_TITLE: Final = 300
State = ImportItem.State


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What became of a text."""

    state: ImportItem.State
    """Imported, updated, unchanged or skipped."""
    sample: Sample | None
    """The one that it is, or that it is the same as."""
    reason: str = ""
    """Why it is skipped, as a sentence."""


def add_text(*, voice: Voice, text: str, title: str = "", date: Date | None = None) -> Sample:
    """Keep a pasted text. Without a title its first line is one where it looks like it.

    Raises UserError when it is empty, too large, or there already.
    """
    if (size := len(text.encode())) > LONGEST:
        raise UserError("writing.too_large", size=round(size / 1e6, 1), limit=LONGEST // 1_000_000)
    body = unwrap(tidy(text))
    if not title.strip():
        title, body = split_title(body)
    if not body:
        raise UserError("writing.empty")
    marked = clean(Marked(text=body))
    item = Item(external_id="", title=one_line(title), date=date, text=marked.text, cuts=marked.cuts, original=text)
    if not item.read:
        raise UserError("import.nothing_to_read")
    [kept] = keep_all(voice=voice, source=Sample.PASTE, items=[item])
    if kept.state == State.SKIPPED or kept.sample is None:
        raise UserError("import.duplicate", title=_named(kept.sample))
    review_one(sample=kept.sample)
    return kept.sample


@transaction.atomic
def keep_all(*, voice: Voice, source: str, items: Sequence[Item]) -> list[Kept]:
    """Keep texts that were found, each included from the start unless it repeats another; in their order.

    One that the source has given before, under the same id, is brought up to date. One whose words stand here already
    under another id is skipped.
    """
    Voice.objects.select_for_update().get(pk=voice.pk)  # two imports at once would keep the same text twice
    hashes = [hash_of(item.text) for item in items]
    by_hash = {sample.content_hash: sample for sample in _of(voice, content_hash__in=hashes)}
    ids = {item.external_id[:300] for item in items if item.external_id}
    by_id: dict[str, list[Sample]] = {}
    for sample in _of(voice, source=source, external_id__in=ids):
        by_id.setdefault(sample.external_id, []).append(sample)
    made: list[Sample] = []
    kept: list[Kept] = []
    for item, digest in zip(items, hashes, strict=True):
        name = item.external_id[:300]
        signature = likeness.signature(item.read)
        same = by_hash.get(digest)
        known = _earlier(source, by_id.get(name, []), same, signature)
        if same is not None and same is not known and (known is None or same.pk != known.pk):
            kept.append(Kept(state=State.SKIPPED, sample=same, reason=say("import.duplicate", title=_named(same))))
            continue
        if known is not None and known.pk is None:  # one file gives two posts one id
            kept.append(Kept(state=State.SKIPPED, sample=known, reason=say("import.duplicate", title=_named(known))))
            continue
        overruled = {*voice.kept_rules, *(known.kept_rules if known else ())}
        fields = {**_fields(item, overruled), "content_hash": digest, "signature": signature}
        if known is None:
            sample = Sample(voice=voice, source=source, external_id=name, **fields)
            made.append(sample)
            kept.append(Kept(state=State.IMPORTED, sample=sample))
        else:
            sample = known
            shown = ("content_hash", "title", "date", "author")
            changed = any(getattr(known, field) != fields[field] for field in shown)
            if changed:
                Sample.objects.filter(pk=known.pk).update(**fields)
            kept.append(Kept(state=State.UPDATED if changed else State.UNCHANGED, sample=known))
        by_hash[digest] = sample
        if name and sample is not known:
            by_id.setdefault(name, []).append(sample)
    Sample.objects.bulk_create(made)
    return kept


def hash_of(text: str) -> str:
    """The same for two texts that differ in white space only."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()


def shorten(text: str, most: int = 80) -> str:
    """Short enough to be named in a sentence."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _of(voice: Voice, **those: Any) -> list[Sample]:
    return list(Sample.objects.filter(voice=voice, **those).defer("original", "full", "text", "cuts"))


def _named(sample: Sample | None) -> str:
    return shorten(sample.title or sample.text[:60] or sample.external_id) if sample else ""


def _earlier(source: str, named: Sequence[Sample], same: Sample | None, signature: bytes) -> Sample | None:
    """Which of the texts that its source gave under one id this is. Ids are ids; but files of one name may be different
    posts: they are one when they have much in common."""
    if same is not None:
        return next((sample for sample in named if sample is same or sample.pk == same.pk), None)
    if source not in sources.BY_NAME:
        return named[0] if named else None
    alike = [(likeness.share(bytes(sample.signature or b""), signature), -place) for place, sample in enumerate(named)]
    best = max(alike, default=(0.0, 0))
    return named[-best[1]] if best[0] >= likeness.SAME_FILE else None


def _fields(item: Item, overruled: Collection[str]) -> dict[str, Any]:
    read = reading(item.text, item.cuts, overruled)
    return {
        "title": item.title[:LONGEST_TITLE],
        "author": item.author[:200],
        "date": item.date,
        "original": item.original,
        "full": item.text if item.cuts else "",
        "cuts": [[cut.start, cut.end, cut.rule] for cut in item.cuts],
        "text": read,
        "words": words(read),
        "tokens": count_tokens(read),
        "flags": flags_of(read, item.text, item.cuts),
    }
