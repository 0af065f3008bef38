"""Any file, read by whichever importer knows it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from adapters.importers import FORMATS, LARGEST, LONGEST, File, Item, finished, read


@pytest.mark.parametrize("name", ["a.txt", "a.TXT", "a.md", "A.Markdown"])
def test_each_ending_belongs_to_one_format(name):
    assert sum(importer.detect(File.of(name, b"Text.")) for importer in FORMATS) == 1


@pytest.mark.parametrize("name", ["photo.jpg", "noending", "", ".md.exe"])
def test_other_files_are_left_out_and_it_is_said_what_can_be_read(name):
    [item] = read(File.of(name, b"\x01\x02\x03"))
    assert "as text, Markdown, HTML" in item.reason


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("post.docx", b"Text.", "is called .docx, but it is none"),
        ("post.pdf", b"Text.", "is called .pdf, but it is none"),
        ("posts.zip", b"Text.", "is called .zip, but it is none"),
        ("feed.rss", b"<urlset/>", "is called .rss, but it is none"),
        ("post.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Word"),
        ("post.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "locked with a password"),
        ("posts.rar", b"Rar!\x1a\x07\x00", "pack it as a zip"),
        ("posts.tar", b"\0" * 257 + b"ustar", "pack it as a zip"),
        ("posts.zip", b"PK\x03\x04 and no more", "This zip is damaged"),
        ("post.docx", b"", "empty"),
        ("post.docx", b"PK\x05\x06" + b"\0" * 18, "No posts"),
    ],
)
def test_a_file_that_is_not_what_it_is_called_says_so(name, data, said):
    [item] = read(File.of(name, data))
    assert said in item.reason


def test_a_file_over_the_limit_is_left_out_unread():
    [item] = read(replace(File.of("all.txt", b""), size=LARGEST + 1, open=lambda: pytest.fail("was read")))
    assert "200.0 MB is too large" in item.reason
    assert not item.text


def test_a_post_over_the_limit_is_left_out():
    [item] = read(File.of("all.txt", b"word " * (LONGEST // 5 + 1)))
    assert "5.0 MB are too much for one post" in item.reason
    assert not item.text


def test_a_file_at_the_limit_is_read():
    [item] = read(File.of("all.txt", b"word " * (LONGEST // 5)))
    assert not item.reason


@given(data=some.binary(max_size=400), ending=some.sampled_from(["txt", "md"]))
def test_every_file_gives_text_or_a_reason(data, ending):
    [item] = read(File.of(f"any.{ending}", data))
    assert bool(item.read) != bool(item.reason)
    assert "\0" not in item.text + item.original + item.title


@given(text=some.text(max_size=400), ending=some.sampled_from(["txt", "md"]))
def test_every_text_gives_text_or_a_reason(text, ending):
    [item] = read(File.of(f"any.{ending}", text.encode("utf-8", "surrogatepass")))
    assert bool(item.read) != bool(item.reason)


def test_characters_that_no_database_takes_are_replaced_one_by_one():
    item = finished(Item(external_id="a\0", title="b\ud800", authors=("\0", " "), text="one\0 two", original="\udfff"))
    assert (item.external_id, item.title, item.author) == ("a\ufffd", "b\ufffd", "\ufffd")
    assert (item.text, item.original) == ("one\ufffd two", "\ufffd")
