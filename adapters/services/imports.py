"""Imports: jobs that bring in files or an address: begun by a person, done by a worker, opened again for other choices.
Knows jobs and their moves. Knows nothing of what is in the files (see `reading`) or how it is taken (see `taking`)."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from django.core.files import File as DjangoFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from adapters import importers
from adapters.errors import UserError
from adapters.importers import Held
from adapters.models import ImportFile, ImportItem, ImportJob, Voice
from adapters.services import base, bells
from adapters.services.curation import cut_repeats
from adapters.services.flags import review
from adapters.services.found import leave_out
from adapters.services.reading import forget, read_file
from adapters.services.stopping import STOPPING
from adapters.services.style import style_of
from adapters.services.taking import choose_first_author, give_back, take

State = ImportItem.State

# A job that has been silent for this long has lost its worker, or its message.
SILENCE: Final = timedelta(seconds=30)
HEARTBEAT: Final = 5.0


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
            read_file(file)
        if ImportFile.objects.filter(job=job, done=False).exists():
            return  # another worker reads one; who is last goes on
        choose_first_author(job)
        if not (give_back(job) and take(job)):
            _requeue(job_id)
            return
        _look_over(job.voice)
    style_of(voice=job.voice)  # measured by the time its author looks
    _finish(job_id)


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
        leave_out(row, importers.too_large(upload.size))
        return
    # On disk it gets a name of ours: nothing that somebody typed becomes a path.
    name = uuid.uuid4().hex
    saved.append(row.file.field.generate_filename(row, name))  # first: a full disk leaves half a file
    row.file.save(name, upload, save=False)
    row.save()


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and "." in (parts.hostname or "") and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def _look_over(voice: Voice) -> None:
    """What can only be seen of all texts together."""
    cut_repeats(voice=voice)
    review(voice=voice)


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
        forget(file)  # left by a worker that died between writing down and deleting
    now = timezone.now()
    ImportJob.objects.filter(pk=job_id, state=ImportJob.State.RUNNING).update(
        state=ImportJob.State.FINISHED, heartbeat_at=now, finished_at=now
    )


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
