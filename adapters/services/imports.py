"""Imports: uploaded files kept on disk, read one by one by a worker, and gone when they are read.
Knows jobs, items and their moves. Knows nothing of formats or encodings."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final

from django.core.files import File as DjangoFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from adapters import importers
from adapters.errors import UserError, say
from adapters.importers import File, Item
from adapters.models import ImportItem, ImportJob, Sample, Voice
from adapters.services import base, bells
from adapters.services.stopping import STOPPING
from adapters.services.writing import keep

log = logging.getLogger(__name__)

# A job that has been silent for this long has lost its worker, or its message.
SILENCE: Final = timedelta(seconds=30)
HEARTBEAT: Final = 5.0
# A file whose reading killed its worker so often is left out, or it would do so for ever.
ATTEMPTS: Final = 3


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


def _add(job: ImportJob, upload: DjangoFile[bytes], saved: list[str]) -> None:
    item = ImportItem(job=job, name=(upload.name or "")[-300:])
    if upload.size > importers.LARGEST:
        item.state, item.reason = ImportItem.State.SKIPPED, importers.too_large(upload.size)
    else:
        # On disk it gets a name of ours: nothing that somebody typed becomes a path.
        name = uuid.uuid4().hex
        saved.append(item.file.field.generate_filename(item, name))  # first: a full disk leaves half a file
        item.file.save(name, upload, save=False)
    item.save()


def run_import(*, job_id: int) -> None:
    """Read every waiting file of a queued job. Does nothing when the job is somebody else's."""
    if STOPPING.is_set():
        return
    if not _move(job_id, ImportJob.State.QUEUED, ImportJob.State.RUNNING):
        return
    base.folder()  # without a base model nothing can be counted: better to fail here than to spend the items' attempts
    with _beating(job_id):
        for item_id in _waiting(job_id):
            if STOPPING.is_set():
                _requeue(job_id)
                return
            _read(item_id)
    _finish(job_id)


def sweep_imports() -> None:
    """Take up jobs that lost their worker, and ring again for those that lost their message."""
    silent = Q(heartbeat_at=None) | Q(heartbeat_at__lt=timezone.now() - SILENCE)
    for job in ImportJob.objects.filter(silent).exclude(state=ImportJob.State.FINISHED):
        moved = ImportJob.objects.filter(silent, pk=job.pk, state=job.state)
        if moved.update(state=ImportJob.State.QUEUED, heartbeat_at=timezone.now()):
            bells.ring(bells.IMPORT, job.pk)


def _waiting(job_id: int) -> list[int]:
    return list(ImportItem.objects.filter(job=job_id, state=ImportItem.State.WAITING).values_list("pk", flat=True))


def _move(job_id: int, old: ImportJob.State, new: ImportJob.State) -> bool:
    return bool(ImportJob.objects.filter(pk=job_id, state=old).update(state=new, heartbeat_at=timezone.now()))


def _requeue(job_id: int) -> None:
    with transaction.atomic():
        if _move(job_id, ImportJob.State.RUNNING, ImportJob.State.QUEUED):
            bells.ring(bells.IMPORT, job_id)


def _finish(job_id: int) -> None:
    if _waiting(job_id):  # another worker holds one; the one that is last finishes
        return
    for item in ImportItem.objects.filter(job=job_id).exclude(file=""):
        _forget(item)  # left by a worker that died between keeping the text and deleting the file
    now = timezone.now()
    ImportJob.objects.filter(pk=job_id, state=ImportJob.State.RUNNING).update(
        state=ImportJob.State.FINISHED, heartbeat_at=now, finished_at=now
    )


def _read(item_id: int) -> None:
    waiting = ImportItem.objects.filter(pk=item_id, state=ImportItem.State.WAITING)
    if not waiting.update(attempts=F("attempts") + 1):
        return
    item = ImportItem.objects.select_related("job__voice").get(pk=item_id)
    found = []
    if item.attempts <= ATTEMPTS:
        try:
            found = list(importers.read(File.at(Path(item.file.path), item.name)))
        except Exception:  # whatever one strange file does to a parser, the others are read
            log.exception("import item %s could not be read", item.pk)
    found = found or [Item(external_id=item.name, reason=say("import.unreadable"))]
    with transaction.atomic():
        if not waiting.select_for_update().exists():
            return  # another worker was quicker
        for index, post in enumerate(found):
            # A file with several posts gets a row for each, so that none goes without a word.
            row = item if index == 0 else ImportItem(job=item.job, name=post.external_id[-300:])
            _settle(row, post)
    _forget(item)


def _settle(row: ImportItem, post: Item) -> None:
    row.state, row.reason = ImportItem.State.SKIPPED, post.reason
    if not post.reason:
        try:
            row.sample = keep(voice=row.job.voice, source=Sample.Source.UPLOAD, item=post)
            row.state = ImportItem.State.IMPORTED
        except UserError as error:
            row.reason = str(error)
    row.save()


def _forget(item: ImportItem) -> None:
    if item.file:
        default_storage.delete(str(item.file))
        ImportItem.objects.filter(pk=item.pk).update(file="")


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
