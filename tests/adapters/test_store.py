"""Adapter store: whole or absent, named by content."""

import json
from pathlib import Path

import pytest

from adapters.store import CONFIG, MANIFEST, WEIGHTS, AdapterCorrupt, AdapterMissing, AdapterStore, digest_of


def finished(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(weights)
    (folder / CONFIG).write_text("{}")
    (folder / MANIFEST).write_text(json.dumps({"seed": 1}))
    return folder


def test_an_adapter_is_found_again_under_the_digest_of_its_content(tmp_path):
    store = AdapterStore(tmp_path / "store")
    made = finished(tmp_path / "made")
    digest = store.put(made)
    assert digest == digest_of(made)
    assert (store.path(digest) / WEIGHTS).read_bytes() == b"weights"
    assert list(store.digests()) == [digest]


def test_putting_the_same_adapter_twice_keeps_one(tmp_path):
    store = AdapterStore(tmp_path / "store")
    assert store.put(finished(tmp_path / "one")) == store.put(finished(tmp_path / "two"))
    assert len(list(store.digests())) == 1


def test_other_weights_are_another_adapter(tmp_path):
    store = AdapterStore(tmp_path / "store")
    assert store.put(finished(tmp_path / "one")) != store.put(finished(tmp_path / "two", b"others"))


def test_an_unfinished_adapter_is_refused_and_leaves_nothing(tmp_path):
    store = AdapterStore(tmp_path / "store")
    made = finished(tmp_path / "made")
    (made / MANIFEST).unlink()
    with pytest.raises(FileNotFoundError, match=MANIFEST):
        store.put(made)
    assert list(store.digests()) == []


def test_changed_weights_are_noticed(tmp_path):
    store = AdapterStore(tmp_path / "store")
    digest = store.put(finished(tmp_path / "made"))
    (store.path(digest) / WEIGHTS).write_bytes(b"tampered")
    with pytest.raises(AdapterCorrupt, match=digest):
        store.verify(digest)


@pytest.mark.parametrize("name", ["../../etc", "", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_nothing_but_a_digest_becomes_a_path(tmp_path, name):
    with pytest.raises(ValueError, match="64 hexadecimal"):
        AdapterStore(tmp_path).path(name)


def test_an_unknown_digest_is_missing_and_deleting_it_is_harmless(tmp_path):
    store = AdapterStore(tmp_path)
    with pytest.raises(AdapterMissing):
        store.path("a" * 64)
    store.delete("a" * 64)


def test_a_half_written_adapter_is_never_listed(tmp_path):
    store = AdapterStore(tmp_path / "store")
    digest = store.put(finished(tmp_path / "made"))
    finished(store.root / digest[:2] / ".put-crashed")
    assert list(store.digests()) == [digest]
