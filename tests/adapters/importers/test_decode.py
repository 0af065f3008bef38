"""Bytes as authors' computers write them."""

from __future__ import annotations

import os
import random

import pytest

from adapters.importers.decode import NotText, decode, one_line, tidy
from adapters.importers.hypertext import marked

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


@pytest.mark.parametrize(
    ("misread", "text"),
    [
        ("It doesnâ€™t matter.", "It doesn’t matter."),
        ("â€œYesâ€\x9d â€“ he saidâ€¦", "“Yes” – he said…"),
        ("ZÃ¼rich and cafÃ©, Â£5", "Zürich and café, £5"),
        ("one\ntwo donâ€™t, canâ€™t\nNoël", "one\ntwo don’t, can’t\nNoël"),
    ],
)
def test_text_that_was_misread_before_is_repaired(misread, text):
    assert decode(misread.encode()) == text
    assert marked(f"<p>{misread}</p>").text.split() == text.split()


@pytest.mark.parametrize(
    "text",
    [
        "Âge, NÃO, MAÇÃ… and façade",
        "l’été à Noël, “ok”",
        "An old page shows â€™ for an apostrophe: that is mojibake.",
        "Read as the wrong encoding, é becomes Ã©.",
        "It doesnâ€™t matter to l’été à Noël.",
        "Zürich — €5 … ‘naïve’ ™ œ",
        "Привет, 日本語, ελληνικά",
        "plain",
    ],
)
def test_good_text_is_never_touched(text):
    assert decode(text.encode()) == text


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
