"""Bytes as authors' computers write them."""

from __future__ import annotations

import os
import random

import pytest

from adapters.importers.decode import NotText, decode, one_line, tidy

TEXT = "Zürich, “quoted” — naïve €5"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_text_in_any_common_encoding_is_read(encoding):
    assert decode(TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark_in_either_byte_order(encoding):
    mark = "\ufeff".encode(encoding)
    assert decode(mark + TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"PK\x03\x04\x14\x00\x06\x00\x08\x00",
        bytes(range(1, 32)) * 20,
        "\ufeff".encode("utf-16-le") + b"\x00\xd8",  # half a surrogate pair
        "null\0character".encode("utf-16"),
        random.Random(7).randbytes(4000),
    ],
)
def test_what_is_no_text_is_refused(data):
    with pytest.raises(NotText):
        decode(data)


def test_random_bytes_are_never_taken_for_text():
    for _ in range(50):
        with pytest.raises(NotText):
            decode(os.urandom(500))


def test_a_form_feed_or_an_escape_makes_no_text_binary():
    assert decode(b"page one\x0c\npage two \x1b[1mbold") != ""


def test_tidy_text_has_one_blank_line_between_paragraphs_and_nothing_unseen():
    messy = "\ufeff First\u200b line  \r\nsecond\r\n\r\n \t\r\n\r\nThird\x07.\r\r\n\n"
    assert tidy(messy) == "First line\nsecond\n\nThird."


def test_tidying_composes_characters():
    assert tidy("cafe\u0301") == "café"


def test_tidying_twice_changes_nothing():
    text = tidy("  a\r\n\r\n\r\n  b \u2029 c\x00\n")
    assert tidy(text) == text


def test_a_title_is_one_line_and_not_too_long():
    assert one_line("  A\ttitle \r\n over two\x00 lines ") == "A title over two lines"
    assert len(one_line("long " * 5000)) <= 300
