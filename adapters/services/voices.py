"""Voices: made, renamed, deleted with all their files.
Knows slugs and which adapters only one voice uses. Knows nothing of pages."""

from __future__ import annotations

from typing import Final

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.models import User
from adapters.errors import UserError
from adapters.models import ImportFile, TrainingJob, Version, Voice
from adapters.services import bells, checkpoints
from adapters.services.versions import store

LONGEST_NAME: Final = 80
LONGEST_SLUG: Final = 50  # leaves room for a number
# Slugs that are addresses of their own.
RESERVED: Final = frozenset({"new"})


def create_voice(*, owner: User, name: str) -> Voice:
    """A voice of `owner`, with a slug of its own made from its name. Raises UserError for a name that will not do."""
    name = _checked(name)
    stem = slugify(name)[:LONGEST_SLUG].strip("-") or "voice"
    while True:
        taken = set(Voice.objects.filter(owner=owner, slug__startswith=stem).values_list("slug", flat=True))
        numbered = (f"{stem}-{number}" for number in range(2, len(taken) + 4))
        slug = next(slug for slug in (stem, *numbered) if slug not in taken | RESERVED)
        try:
            with transaction.atomic():
                return Voice.objects.create(owner=owner, name=name, slug=slug)
        except IntegrityError:
            continue  # somebody took that slug since we looked


def rename_voice(*, voice: Voice, name: str) -> None:
    """Give `voice` another name. Its slug stays: addresses and programs know it by that."""
    voice.name = _checked(name)
    voice.save(update_fields=["name"])


def delete_voice(*, voice: Voice) -> None:
    """Delete `voice` with its writing, jobs, versions and drafts, their files, and what the engine holds of it.

    A job that is being trained loses its row, which its worker notices within seconds.
    """
    with transaction.atomic():
        # In the order in which a finishing job takes the rows, or each would wait for the other.
        Voice.objects.select_for_update().filter(pk=voice.pk).first()
        digests = set(Version.objects.filter(voice=voice).values_list("digest", flat=True))
        uploads = [str(item.file) for item in ImportFile.objects.filter(job__voice=voice).exclude(file="")]
        trainings = list(TrainingJob.objects.filter(voice=voice).values_list("pk", flat=True))
        voice.delete()
        transaction.on_commit(lambda: _delete_files(digests, uploads, trainings))


def _delete_files(digests: set[str], uploads: list[str], trainings: list[int]) -> None:
    in_use = set(Version.objects.filter(digest__in=digests).values_list("digest", flat=True))
    for digest in digests - in_use:
        store().delete(digest)
        bells.ring(bells.UNLOAD, digest)
    for name in uploads:
        default_storage.delete(name)
    for training in trainings:
        checkpoints.delete(training)  # one that is just being written again is swept later


def _checked(name: str) -> str:
    name = " ".join(name.split())
    if not name:
        raise UserError("voice.no_name")
    if len(name) > LONGEST_NAME:
        raise UserError("voice.long_name", length=len(name), limit=LONGEST_NAME)
    return name
