"""Imports: uploaded files kept on disk, read by a worker, and gone when they are read; what was found stays.
Knows jobs, files, items and their moves. Knows nothing of formats or encodings."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.files import File as DjangoFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from adapters import importers, sources
from adapters.errors import UserError, say
from adapters.importers import Cut, File, Held, Item
from adapters.importers.fetch import fetch
from adapters.models import ImportFile, ImportItem, ImportJob, Sample, Voice
from adapters.services import base, bells
from adapters.services.flags import review
from adapters.services.stopping import STOPPING
from adapters.services.writing import cut_repeats, keep_all
from adapters.style.meter import words

log = logging.getLogger(__name__)
State = ImportItem.State

# A job that has been silent for this long has lost its worker, or its message.
SILENCE: Final = timedelta(seconds=30)
HEARTBEAT: Final = 5.0
# A file whose reading killed its worker so often is left out, or it would do so for ever.
ATTEMPTS: Final = 3
# Posts that are written to the database at once.
AT_ONCE: Final = 100


def start_import(*, voice: Voice, uploads: Sequence[DjangoFile[bytes]]) -> ImportJob:
    """Keep the uploaded files and have them read. Raises UserError when there are none."""
    if not uploads:
        raise UserError("import.no_files")
    saved: list[str] = []
    try:
        with transaction.atomic():
            job = ImportJob.objects.create(voice=voice, heartbeat_at=timezone.now())
            for upload in uploads:
                _add(job, upload, saved)
            bells.ring(bells.IMPORT, job.pk)
    except BaseException:
        for name in saved:
            default_storage.delete(name)
        raise
    return job


def start_import_from(*, voice: Voice, address: str) -> ImportJob:
    """Have the feed or page at an address read. Raises UserError for what is none."""
    address = address.strip()
    if address and "://" not in address:
        address = f"https://{address}"
    if len(address) > 500 or not _is_address(address):
        raise UserError("import.no_address")
    with transaction.atomic():
        job = ImportJob.objects.create(voice=voice, heartbeat_at=timezone.now())
        ImportFile.objects.create(job=job, name=address[:300], address=address)
        bells.ring(bells.IMPORT, job.pk)
    return job


def run_import(*, job_id: int) -> None:
    """Read every waiting file of a queued job, take what is its author's, and give back what no longer is. Does nothing
    when the job is somebody else's."""
    if STOPPING.is_set():
        return
    if not _move(job_id, ImportJob.State.QUEUED, ImportJob.State.RUNNING):
        return
    base.folder()  # without a base model nothing can be counted: better to fail here than to spend the files' attempts
    job = ImportJob.objects.select_related("voice").get(pk=job_id)
    with _beating(job_id):
        for file in ImportFile.objects.filter(job=job, done=False):
            if STOPPING.is_set():
                _requeue(job_id)
                return
            _read(file)
        if ImportFile.objects.filter(job=job, done=False).exists():
            return  # another worker reads one; who is last goes on
        _choose_authors(job)
        if not (_give_back(job) and _take(job)):
            _requeue(job_id)
            return
        _look_over(job.voice)
    _finish(job_id)


def take_in(*, job: ImportJob, items: Collection[int] = (), held: Collection[str] = ()) -> int:
    """Have items of a finished job imported that were held back: single ones, and all that are held for these reasons;
    how many there are. A worker does it: to count the words of thousands takes minutes."""
    ticked = Q(pk__in=items) | Q(held__in=held)
    chosen = ImportItem.objects.filter(ticked, job=job, state=State.FOUND)
    with transaction.atomic():
        return chosen.update(held="") if chosen.exists() and _reopen(job) else 0


def choose_authors(*, job: ImportJob, authors: Collection[str]) -> None:
    """Have the posts of these authors taken, and given back what the finished job had brought in of all others."""
    named, theirs = ImportItem.objects.filter(job=job).exclude(authors=[]), Q(authors__overlap=list(authors))
    with transaction.atomic():
        if not _reopen(job):
            return
        ImportJob.objects.filter(pk=job.pk).update(authors=sorted(authors))
        gone = Q(state=State.FOUND) | Q(state=State.IMPORTED, sample__isnull=False)
        named.filter(gone, ~theirs, held="").update(held=Held.OTHER_AUTHOR)
        named.filter(theirs, held=Held.OTHER_AUTHOR).update(held="")


def _look_over(voice: Voice) -> None:
    """What can only be seen of all texts together."""
    cut_repeats(voice=voice)
    review(voice=voice)


def authors_of(job: ImportJob) -> list[tuple[str, int]]:
    """Whom the files name, and how many posts of theirs there are; who wrote most comes first."""
    counts: Counter[str] = Counter()
    found = ImportItem.objects.filter(job=job).exclude(state=State.SKIPPED, sample=None)
    for authors in found.values_list("authors", flat=True):
        counts.update(set(authors))
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def sweep_imports() -> None:
    """Take up jobs that lost their worker, and ring again for those that lost their message."""
    silent = Q(heartbeat_at=None) | Q(heartbeat_at__lt=timezone.now() - SILENCE)
    for job in ImportJob.objects.filter(silent).exclude(state=ImportJob.State.FINISHED):
        moved = ImportJob.objects.filter(silent, pk=job.pk, state=job.state)
        if moved.update(state=ImportJob.State.QUEUED, heartbeat_at=timezone.now()):
            bells.ring(bells.IMPORT, job.pk)


def _add(job: ImportJob, upload: DjangoFile[bytes], saved: list[str]) -> None:
    row = ImportFile(job=job, name=(upload.name or "")[-300:], size=upload.size)
    if upload.size > importers.LARGEST:
        row.done = True
        row.save()
        _leave_out(row, importers.too_large(upload.size))
        return
    # On disk it gets a name of ours: nothing that somebody typed becomes a path.
    name = uuid.uuid4().hex
    saved.append(row.file.field.generate_filename(row, name))  # first: a full disk leaves half a file
    row.file.save(name, upload, save=False)
    row.save()


def _read(file: ImportFile) -> None:
    """Write down what is in the file, all of it or nothing."""
    waiting = ImportFile.objects.filter(pk=file.pk, done=False)
    waiting.update(attempts=F("attempts") + 1)  # for itself: it stands even if this worker dies of the file
    with transaction.atomic():
        locked = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("job").first()
        if locked is None:
            return  # another worker reads it, or has read it
        try:
            with transaction.atomic():
                _write_down(locked)
        except Exception:  # whatever one strange file does to a parser, the others are read
            log.exception("import file %s could not be read", file.pk)
            _leave_out(locked, say("import.unreadable"))
        waiting.update(done=True, source=locked.source)
    _forget(file)


def _write_down(file: ImportFile) -> None:
    if file.attempts > ATTEMPTS:
        _leave_out(file, say("import.unreadable"))
        return
    lost: list[str] = []
    try:
        content = _content_in(file, lost)
    except importers.Unreadable as error:
        _leave_out(file, str(error))
        return
    try:
        importer = importers.importer_of(content)
    except importers.Unreadable:  # `read` says why
        importer = None
    loose = importer is None or importer.FORMAT in sources.LOOSE
    file.source = Sample.UPLOAD if importer is None or loose else importer.FORMAT
    for some in _batches(importers.read(content), AT_ONCE):
        ImportItem.objects.bulk_create(_row(file, item) for item in some)
    for sentence in lost:
        _leave_out(file, sentence)


def _content_in(file: ImportFile, lost: list[str]) -> File:
    if file.address:
        return fetch(file.address, on_damage=lost.append)
    return File.at(Path(file.file.path), file.name)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and "." in (parts.hostname or "") and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def _row(file: ImportFile, item: Item) -> ImportItem:
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


def _choose_authors(job: ImportJob) -> None:
    """Who wrote most of what is there is the author, as long as nobody has said otherwise."""
    counts = authors_of(job)
    if job.authors or not counts:
        return
    job.authors = [counts[0][0]]
    job.save(update_fields=["authors"])
    named = ImportItem.objects.filter(job=job, state=State.FOUND, held="").exclude(authors=[])
    named.exclude(authors__overlap=job.authors).update(held=Held.OTHER_AUTHOR)


def _give_back(job: ImportJob) -> bool:
    """Make found items of what was taken and is held now, some at a time; False when the worker has to stop in
    between."""
    held = ImportItem.objects.filter(job=job, state=State.IMPORTED).exclude(held="")
    for pks in _batches(list(held.values_list("pk", flat=True)), AT_ONCE):
        if STOPPING.is_set():
            return False
        with transaction.atomic():
            rows = list(held.filter(pk__in=pks).select_related("sample").select_for_update(of=("self",)))
            samples = [row.sample.pk for row in rows if row.sample]
            for row in rows:
                if row.sample is None:  # deleted meanwhile
                    row.held = ""
                else:
                    row.state, row.content, row.sample = State.FOUND, _content_of(row.sample), None
            ImportItem.objects.bulk_update(rows, ["state", "content", "sample", "held"])
            Sample.objects.filter(pk__in=samples).delete()
    return True


def _take(job: ImportJob) -> bool:
    """Keep the posts of the found items that nothing holds, some at a time; False when the worker has to stop in
    between."""
    found = ImportItem.objects.filter(job=job, state=State.FOUND, held="")
    for pks in _batches(list(found.values_list("pk", flat=True)), AT_ONCE):
        if STOPPING.is_set():
            return False
        with transaction.atomic():
            rows = list(found.filter(pk__in=pks).select_for_update(of=("self",)))
            for source in {row.source for row in rows}:
                _settle(job, source, [row for row in rows if row.source == source])
    return True


def _settle(job: ImportJob, source: str, rows: Sequence[ImportItem]) -> None:
    items = [_item(row) for row in rows]
    for row, kept in zip(rows, keep_all(voice=job.voice, source=source, items=items), strict=True):
        row.state, row.reason, row.content = kept.state, kept.reason, None
        row.sample = kept.sample if kept.state in ImportItem.TAKEN else None
    ImportItem.objects.bulk_update(rows, ["state", "reason", "content", "sample"])


def _content(item: Item) -> dict[str, Any]:
    return {
        "text": item.text,
        "cuts": [[cut.start, cut.end, cut.rule] for cut in item.cuts],
        "original": item.original,
    }


def _content_of(sample: Sample) -> dict[str, Any]:
    return {"text": sample.whole, "cuts": sample.cuts, "original": sample.original}


def _item(row: ImportItem) -> Item:
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


def _leave_out(file: ImportFile, reason: str) -> None:
    ImportItem.objects.create(
        job=file.job, file=file, external_id=_short(file.name, 300), state=State.SKIPPED, reason=reason
    )


def _batches(some: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(some)
    while found := list(islice(rest, size)):
        yield found


def _short(name: str, most: int) -> str:
    return name[-most:].replace("\0", "")


def _move(job_id: int, old: ImportJob.State, new: ImportJob.State) -> bool:
    return bool(ImportJob.objects.filter(pk=job_id, state=old).update(state=new, heartbeat_at=timezone.now()))


def _reopen(job: ImportJob) -> bool:
    """Have a worker look at a finished job again."""
    finished = ImportJob.objects.filter(pk=job.pk, state=ImportJob.State.FINISHED)
    reopened = finished.update(state=ImportJob.State.QUEUED, heartbeat_at=timezone.now(), finished_at=None)
    if reopened:
        bells.ring(bells.IMPORT, job.pk)
    return bool(reopened)


def _requeue(job_id: int) -> None:
    with transaction.atomic():
        if _move(job_id, ImportJob.State.RUNNING, ImportJob.State.QUEUED):
            bells.ring(bells.IMPORT, job_id)


def _finish(job_id: int) -> None:
    for file in ImportFile.objects.filter(job=job_id).exclude(file=""):
        _forget(file)  # left by a worker that died between writing down and deleting
    now = timezone.now()
    ImportJob.objects.filter(pk=job_id, state=ImportJob.State.RUNNING).update(
        state=ImportJob.State.FINISHED, heartbeat_at=now, finished_at=now
    )


def _forget(file: ImportFile) -> None:
    if file.file:
        default_storage.delete(str(file.file))
        ImportFile.objects.filter(pk=file.pk).update(file="")


@contextmanager
def _beating(job_id: int) -> Iterator[None]:
    """Say every few seconds that this worker lives, also while it reads one long file."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(HEARTBEAT):
                ImportJob.objects.filter(pk=job_id, state=ImportJob.State.RUNNING).update(heartbeat_at=timezone.now())
        finally:
            connection.close()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
