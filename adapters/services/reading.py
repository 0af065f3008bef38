"""Reading: what is in the files and behind the addresses of an import, written down once, all of a file or nothing.
Knows files and what becomes of broken ones. Knows nothing of formats or of which posts are taken."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F

from adapters import importers, sources
from adapters.errors import say
from adapters.importers import File
from adapters.importers.fetch import fetch
from adapters.models import ImportFile, ImportItem, Sample
from adapters.services.found import AT_ONCE, batches, leave_out, row_of

log = logging.getLogger(__name__)

# A file whose reading killed its worker so often is left out, or it would do so for ever.
ATTEMPTS: Final = 3


def read_file(file: ImportFile) -> None:
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
            leave_out(locked, say("import.unreadable"))
        waiting.update(done=True, source=locked.source)
    forget(file)


def _write_down(file: ImportFile) -> None:
    if file.attempts > ATTEMPTS:
        leave_out(file, say("import.unreadable"))
        return
    lost: list[str] = []
    try:
        content = _content_in(file, lost)
    except importers.Unreadable as error:
        leave_out(file, str(error))
        return
    try:
        importer = importers.importer_of(content)
    except importers.Unreadable:  # `read` says why
        importer = None
    loose = importer is None or importer.FORMAT in sources.LOOSE
    file.source = Sample.UPLOAD if importer is None or loose else importer.FORMAT
    for some in batches(importers.read(content), AT_ONCE):
        ImportItem.objects.bulk_create(row_of(file, item) for item in some)
    for sentence in lost:
        leave_out(file, sentence)


def _content_in(file: ImportFile, lost: list[str]) -> File:
    if file.address:
        return fetch(file.address, on_damage=lost.append)
    return File.at(Path(file.file.path), file.name)


def forget(file: ImportFile) -> None:
    if file.file:
        default_storage.delete(str(file.file))
        ImportFile.objects.filter(pk=file.pk).update(file="")
