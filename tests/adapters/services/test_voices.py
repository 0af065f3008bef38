"""Voices are made, renamed and deleted."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from adapters.models import Version, Voice
from adapters.services import UserError, create_voice, delete_voice, rename_voice, start_import
from adapters.services.versions import store
from tests.inference.conftest import make_version

__all__ = ["make_version"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Slack Water", "slack-water"), ("  Café   notes ", "cafe-notes"), ("日記", "voice"), ("n" * 80, "n" * 50)],
)
def test_a_voice_gets_a_slug_from_its_name(author, name, slug):
    voice = create_voice(owner=author, name=name)
    assert (voice.slug, voice.name) == (slug, " ".join(name.split()))


def test_equal_names_get_slugs_of_their_own(author, make_author):
    slugs = [create_voice(owner=author, name="Notes").slug for _ in range(3)]
    assert slugs == ["notes", "notes-2", "notes-3"]
    assert create_voice(owner=make_author(), name="Notes").slug == "notes"


def test_no_voice_takes_an_address_of_the_site(author):
    assert create_voice(owner=author, name="New").slug == "new-2"


@pytest.mark.parametrize("name", ["", "  ", "n" * 81])
def test_a_name_that_will_not_do_is_refused(author, name):
    with pytest.raises(UserError):
        create_voice(owner=author, name=name)
    assert not Voice.objects.exists()


def test_renaming_keeps_the_address(voice):
    rename_voice(voice=voice, name="Letters")
    voice.refresh_from_db()
    assert (voice.name, voice.slug) == ("Letters", "essays")


@pytest.fixture
def stored(own_folders, tmp_path):
    """An adapter in the store, by what its weights are."""

    def put(weights: bytes) -> str:
        folder = tmp_path / weights.decode()
        folder.mkdir()
        for name in ("adapter_model.safetensors", "adapter_config.json", "manifest.json"):
            (folder / name).write_bytes(weights)
        return store().put(folder)

    return put


@pytest.mark.django_db(transaction=True)
def test_deleting_a_voice_takes_its_files_along(voice, make_version, stored, rung):
    digest = stored(b"mine")
    make_version(digest=digest)
    job = start_import(voice=voice, uploads=[SimpleUploadedFile("a.txt", b"Text.")])
    upload = job.files.get().file.name
    delete_voice(voice=voice)
    assert not Voice.objects.exists()
    assert digest not in store().digests()
    assert not default_storage.exists(upload)
    assert ("unload_adapter", digest) in rung


@pytest.mark.django_db(transaction=True)
def test_files_that_another_version_uses_stay(voice, make_version, stored, author, rung):
    digest = stored(b"ours")
    make_version(digest=digest)
    other = create_voice(owner=author, name="Other")
    make_version(voice=other, digest=digest)
    delete_voice(voice=voice)
    assert Version.objects.get().voice == other
    assert digest in store().digests()
    assert rung == []


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_is_taken_back_unloads_nothing(voice, make_version, stored, rung):
    digest = stored(b"mine")
    make_version(digest=digest)
    with transaction.atomic():
        delete_voice(voice=voice)
        transaction.set_rollback(True)
    assert rung == []
    assert digest in store().digests()
