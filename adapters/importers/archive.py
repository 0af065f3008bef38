"""Archives: the files in a zip, read one by one and never written anywhere.
Knows what is hostile in archives, and refuses it with a sentence. Knows nothing of what the files mean."""

from __future__ import annotations

import io
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from adapters.errors import say
from adapters.importers.item import File, Unreadable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MOST_ENTRIES: Final = 20_000
"""More than any author has written posts; the list alone of an endless one would fill the memory."""
LARGEST_ENTRY: Final = 64_000_000
"""Bytes of one file that is unpacked into memory. Pictures are not unpacked at all."""
LARGEST_IN_ALL: Final = 1_000_000_000
"""Bytes unpacked of one archive."""
LARGEST_RATIO: Final = 200
"""Text packs to a fifth, a bomb to a thousandth."""
_RATIO_COUNTS_FROM: Final = 1_000_000
"""Bytes: a small file of spaces is no bomb."""
# What a directory or an entry made of any bytes has been seen to raise.
_BROKEN: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, NotImplementedError, RuntimeError, EOFError, OSError,
    ValueError, IndexError,
)  # fmt: skip
_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06")
# What operating systems and editors leave beside the files.
_LITTER: Final = ("__MACOSX/", ".git/", "node_modules/")


def is_zip(file: File) -> bool:
    """Whether it begins as a zip does."""
    return file.head.startswith(_SIGNATURES)


class Archive:
    """A zip that was looked through. Its files can be read again and again, in any order."""

    def __init__(self, file: File) -> None:
        """Raises Unreadable: not a zip, broken, encrypted, or hostile."""
        self.file = file
        self._read = 0
        try:
            self._zip = zipfile.ZipFile(file.path or io.BytesIO(file.read()))
        except _BROKEN as error:
            raise Unreadable(say("import.broken_zip")) from error
        entries = self._zip.infolist()
        if len(entries) > MOST_ENTRIES:
            raise Unreadable(say("import.too_many_entries", count=f"{len(entries):,}", limit=f"{MOST_ENTRIES:,}"))
        self._entries = {entry.filename: entry for entry in entries if _is_file(entry)}
        # What the directory admits to is refused before anything is read, so that nothing is half imported.
        for entry in entries:
            if _is_bomb(entry):
                raise Unreadable(say("import.zip_bomb", name=shown(entry.filename)))
        if sum(entry.file_size for entry in self._entries.values()) > LARGEST_IN_ALL:
            raise Unreadable(say("import.zip_bomb", name=shown(file.name)))
        if any(entry.flag_bits & 1 for entry in self._entries.values()):
            raise Unreadable(say("import.encrypted_zip"))

    @cached_property
    def names(self) -> list[str]:
        """Of its files, sorted; folders of a single root are kept. None of them is ever used as a path."""
        return sorted(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def files(self) -> Iterator[File]:
        """All of them."""
        for name in self.names:
            yield self.get(name)

    def get(self, name: str) -> File:
        """One of `names`. Opening it raises Unreadable when it is hostile or broken."""
        entry = self._entries[name]
        return File(name=name, size=entry.file_size, open=lambda: io.BytesIO(self._unpack(entry)))

    def streamed(self, name: str) -> File:
        """The same for one that may be larger than memory: it is unpacked while it is read, and cannot be sought in."""
        entry = self._entries[name]
        return File(name=name, size=entry.file_size, open=lambda: io.BufferedReader(_Unpacking(self, self._zip, entry)))

    def count(self, size: int, entry: zipfile.ZipInfo) -> None:
        """Raises Unreadable when more was unpacked than anybody writes."""
        self._read += size
        if self._read > LARGEST_IN_ALL:
            raise Unreadable(say("import.zip_bomb", name=shown(entry.filename)))

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def _unpack(self, entry: zipfile.ZipInfo) -> bytes:
        # The directory's sizes are claims: what comes out is counted.
        if entry.file_size > LARGEST_ENTRY:
            raise Unreadable(say("import.zip_bomb", name=shown(entry.filename)))
        self.count(entry.file_size, entry)
        try:
            with self._zip.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
        except _BROKEN as error:
            raise Unreadable(say("import.broken_zip_entry", name=shown(entry.filename))) from error
        if len(data) > entry.file_size:
            raise Unreadable(say("import.zip_bomb", name=shown(entry.filename)))
        return data


class _Unpacking(io.RawIOBase):
    """An entry as it comes out."""

    def __init__(self, archive: Archive, zipped: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._entry = entry
        with self._guarded():
            self._stream = zipped.open(entry)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        with self._guarded():
            data = self._stream.read(len(view))
        self._archive.count(len(data), self._entry)
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if stream := getattr(self, "_stream", None):  # there is none when the entry could not be opened
            stream.close()
        super().close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            raise Unreadable(say("import.broken_zip_entry", name=shown(self._entry.filename))) from error


@contextmanager
def opened(file: File) -> Iterator[Archive]:
    """An archive that is closed at the end."""
    archive = Archive(file)
    try:
        yield archive
    finally:
        archive.close()


def shown(name: str) -> str:
    """A name from an archive, fit for a sentence."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[-120:]


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > max(_RATIO_COUNTS_FROM, LARGEST_RATIO * entry.compress_size)


def _is_file(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    hidden = any(part.startswith(".") and part != ".." for part in path.parts) or entry.filename.startswith(_LITTER)
    link = stat.S_ISLNK(entry.external_attr >> 16)
    return bool(path.name) and not (entry.is_dir() or hidden or link)
