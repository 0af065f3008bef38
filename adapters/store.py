"""Adapter store: finished adapters on disk, immutable, named by the digest of what is in them.
Knows PEFT's file layout and the manifest. Knows nothing of voices, owners or tensors."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
MANIFEST = "manifest.json"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class AdapterMissing(LookupError):
    """No adapter of that digest is in the store."""


class AdapterCorrupt(ValueError):
    """The files are not what their digest says."""


class AdapterStore:
    """A folder of adapters, one folder each: `<root>/<first two hex digits>/<digest>/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, folder: Path) -> str:
        """Publish the finished adapter in `folder` and return its digest; putting it twice is harmless.

        Copied to a temporary name, flushed to disk, renamed: a reader sees all of it or nothing.
        Raises FileNotFoundError when a file of the layout is missing.
        """
        for name in (WEIGHTS, CONFIG, MANIFEST):
            if not (folder / name).is_file():
                raise FileNotFoundError(f"not a finished adapter: {folder / name} is missing")
        digest = digest_of(folder)
        target = self._folder(digest)
        if target.exists():
            return digest
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".put-"))
        try:
            for name in (WEIGHTS, CONFIG, MANIFEST):
                shutil.copyfile(folder / name, scratch / name)
                _flush(scratch / name)
            _flush(scratch)
            # mkdtemp is private to its user; another process of the site, under another one, may have to read this.
            scratch.chmod(0o755)
            try:
                os.rename(scratch, target)
            except OSError:
                if not target.exists():  # lost the race to an equal adapter: fine; anything else is not
                    raise
            _flush(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return digest

    def path(self, digest: str) -> Path:
        """The adapter's folder. Raises ValueError for what is no digest, AdapterMissing for an unknown one."""
        folder = self._folder(digest)
        if not folder.is_dir():
            raise AdapterMissing(digest)
        return folder

    def verify(self, digest: str) -> Path:
        """Like `path`, after reading every byte. Raises AdapterCorrupt when the content has changed."""
        folder = self.path(digest)
        if (found := digest_of(folder)) != digest:
            raise AdapterCorrupt(f"adapter {digest} holds the content of {found}")
        return folder

    def digests(self) -> Iterator[str]:
        """Every published adapter, in no particular order."""
        for folder in self.root.glob("[0-9a-f][0-9a-f]/*"):
            if _DIGEST.fullmatch(folder.name):
                yield folder.name

    def delete(self, digest: str) -> None:
        """Remove the adapter's files; unknown digests are ignored, so that a deletion can be repeated."""
        shutil.rmtree(self._folder(digest), ignore_errors=True)

    def _folder(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"digest must be 64 hexadecimal digits, not {digest!r}")
        return self.root / digest[:2] / digest


def digest_of(folder: Path) -> str:
    """SHA-256 over config and weights of the adapter in `folder`, in that order."""
    total = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        with (folder / name).open("rb") as stream:
            total.update(hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the adapter was made from and how (see `adapters.training.manifest`)."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return manifest


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
