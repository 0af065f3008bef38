"""Zips for tests. Knows how to pack one in memory.
Knows nothing of formats."""

from __future__ import annotations

import io
import zipfile


def packed(files: dict[str, str | bytes]) -> bytes:
    """A zip of these files, by their names."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def damaged(zipped: bytes, content: bytes) -> bytes:
    """The zip with one byte of a stored entry's `content` turned."""
    place = zipped.index(content)
    return zipped[:place] + bytes([zipped[place] ^ 1]) + zipped[place + 1 :]


def stored(files: dict[str, bytes]) -> bytes:
    """A zip of these files, not compressed."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()
