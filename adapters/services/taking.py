"""Taking: found posts become texts of the voice; those of authors who are not chosen any more become found posts again.
Knows whose posts are taken and what holds others back. Knows nothing of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from django.db import transaction

from adapters.importers import Held
from adapters.models import ImportItem, ImportJob, Sample
from adapters.services.found import AT_ONCE, batches, content_of, item_of
from adapters.services.stopping import STOPPING
from adapters.services.style import forget_style
from adapters.services.writing import keep_all

State = ImportItem.State


def authors_of(job: ImportJob) -> list[tuple[str, int]]:
    """Whom the files name, and how many posts of theirs there are; who wrote most comes first."""
    counts: Counter[str] = Counter()
    found = ImportItem.objects.filter(job=job).exclude(state=State.SKIPPED, sample=None)
    for authors in found.values_list("authors", flat=True):
        counts.update(set(authors))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def choose_first_author(job: ImportJob) -> None:
    """Who wrote most of what is there is the author, as long as nobody has said otherwise."""
    counts = authors_of(job)
    if job.authors or not counts:
        return
    job.authors = [counts[0][0]]
    job.save(update_fields=["authors"])
    named = ImportItem.objects.filter(job=job, state=State.FOUND, held="").exclude(authors=[])
    named.exclude(authors__overlap=job.authors).update(held=Held.OTHER_AUTHOR)


def give_back(job: ImportJob) -> bool:
    """Make found items of what was taken and is held now, some at a time; False when the worker has to stop in
    between."""
    held = ImportItem.objects.filter(job=job, state=State.IMPORTED).exclude(held="")
    for pks in batches(list(held.values_list("pk", flat=True)), AT_ONCE):
        if STOPPING.is_set():
            return False
        with transaction.atomic():
            rows = list(held.filter(pk__in=pks).select_related("sample").select_for_update(of=("self",)))
            samples = [row.sample.pk for row in rows if row.sample]
            for row in rows:
                if row.sample is None:  # deleted meanwhile
                    row.held = ""
                else:
                    row.state, row.content, row.sample = State.FOUND, content_of(row.sample), None
            ImportItem.objects.bulk_update(rows, ["state", "content", "sample", "held"])
            Sample.objects.filter(pk__in=samples).delete()
            forget_style(voice=job.voice)  # it quotes them
    return True


def take(job: ImportJob) -> bool:
    """Keep the posts of the found items that nothing holds, some at a time; False when the worker has to stop in
    between."""
    found = ImportItem.objects.filter(job=job, state=State.FOUND, held="")
    for pks in batches(list(found.values_list("pk", flat=True)), AT_ONCE):
        if STOPPING.is_set():
            return False
        with transaction.atomic():
            rows = list(found.filter(pk__in=pks).select_for_update(of=("self",)))
            for source in {row.source for row in rows}:
                _settle(job, source, [row for row in rows if row.source == source])
    return True


def _settle(job: ImportJob, source: str, rows: Sequence[ImportItem]) -> None:
    items = [item_of(row) for row in rows]
    for row, kept in zip(rows, keep_all(voice=job.voice, source=source, items=items), strict=True):
        row.state, row.reason, row.content = kept.state, kept.reason, None
        row.sample = kept.sample if kept.state in ImportItem.TAKEN else None
    ImportItem.objects.bulk_update(rows, ["state", "reason", "content", "sample"])
