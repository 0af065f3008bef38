"""Zips from strangers: what is broken or hostile in them is said, and nothing else is raised."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from adapters.importers import File, Unreadable
from adapters.importers import archive as module
from adapters.importers.archive import opened

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def packed(method: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr("a.txt", "Words. " * 20)
        archive.writestr("b/c.txt", "More words. " * 20)
    return data.getvalue()


WHOLE = [packed(method) for method in METHODS]


@pytest.mark.parametrize("data", WHOLE)
def test_every_way_of_packing_is_read(data):
    with opened(File.of("a.zip", data)) as archive:
        assert [(file.name, file.read()) for file in archive.files()] == [
            ("a.txt", b"Words. " * 20),
            ("b/c.txt", b"More words. " * 20),
        ]


@settings(max_examples=200, deadline=None)
@given(which=some.integers(0, 3), at=some.integers(0, 400), put=some.binary(max_size=8), drop=some.integers(0, 8))
@example(which=0, at=4, put=b"", drop=1)  # an entry that begins before the file does
def test_whatever_happens_to_a_zip_it_is_read_or_unreadable(which, at, put, drop):
    data = WHOLE[which]
    try:
        with opened(File.of("a.zip", data[:at] + put + data[at + drop :])) as archive:
            for file in archive.files():
                try:
                    assert archive.streamed(file.name).read() == file.read()
                except Unreadable:
                    continue
    except Unreadable:
        return


def test_what_is_unpacked_while_it_is_read_is_counted(monkeypatch):
    with opened(File.of("a.zip", WHOLE[1])) as archive:
        monkeypatch.setattr(module, "LARGEST_IN_ALL", 3 * 140)
        streamed = archive.streamed("a.txt")
        assert streamed.read() == streamed.read() == b"Words. " * 20
        with streamed.open() as stream:
            assert stream.readline(6) == b"Words."
        with pytest.raises(Unreadable, match="unpacks to far more"):
            streamed.read()


def test_an_entry_without_a_name_is_none():
    data = packed(zipfile.ZIP_STORED)
    # The length of the last entry's name in the directory, and the name.
    place = data.rindex(b"b/c.txt")
    nameless = data[: place - 18] + b"\0\0" + data[place - 16 : place] + data[place + 7 :]
    end = nameless.rindex(b"PK\5\6")
    size = int.from_bytes(nameless[end + 12 : end + 16], "little") - 7
    nameless = nameless[: end + 12] + size.to_bytes(4, "little") + nameless[end + 16 :]
    with opened(File.of("a.zip", nameless)) as found:
        assert found.names == ["a.txt"]
