"""WordPress exports: what is a post, whose it is, and whether it waits."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, archive, importer_of, read, wordpress
from tests.adapters.importers.zips import packed

HEAD = """<?xml version="1.0"?>
<rss xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/" xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>
<wp:author><wp:author_login>ada</wp:author_login><wp:author_display_name>Ada L.</wp:author_display_name></wp:author>
<wp:author><wp:author_login>bob</wp:author_login><wp:author_display_name></wp:author_display_name></wp:author>
"""
END = "</channel></rss>"


def post(content: str = "Some words.", *, creator: str = "ada", guid: str = "g1", more: str = "", **fields: str) -> str:
    fields = {"post_date": "2019-01-06 23:30:00", "status": "publish", "post_type": "post", **fields}
    named = "".join(f"<wp:{name}><![CDATA[{value}]]></wp:{name}>" for name, value in fields.items())
    return (
        f"<item><title>Ham &amp;amp; Eggs</title><guid>{guid}</guid><dc:creator>{creator}</dc:creator>"
        f"<content:encoded><![CDATA[{content}]]></content:encoded><excerpt:encoded>Short.</excerpt:encoded>{named}{more}"
        "</item>"
    )


def export(*posts: str, head: str = HEAD) -> bytes:
    return (head + "\n".join(posts) + END).encode()


def read_all(data: bytes, name: str = "blog.xml") -> list[Item]:
    return list(read(File.of(name, data)))


def read_one(*args: str, **fields: str) -> Item:
    [item] = read_all(export(post(*args, **fields)))
    return item


def test_a_post_is_read_with_all_that_is_said_of_it():
    item = read_one("<p>One.</p>")
    assert (item.external_id, item.title, item.author) == ("g1", "Ham & Eggs", "Ada L.")
    assert (item.date, item.text, item.original) == (date(2019, 1, 6), "One.", "<p>One.</p>")
    assert item.held is None


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"status": "publish"}, None),
        ({"status": "draft"}, Held.DRAFT),
        ({"status": "pending"}, Held.DRAFT),
        ({"status": "in-progress"}, Held.DRAFT),
        ({"status": "future"}, Held.SCHEDULED),
        ({"status": "private"}, Held.PRIVATE),
        ({"post_password": "secret"}, Held.PASSWORD),
        ({"post_type": "page"}, Held.PAGE),
        ({"post_type": "recipe"}, Held.PAGE),
        ({"post_type": "podcast"}, Held.PODCAST),
    ],
)
def test_what_is_not_simply_published_waits(fields, held):
    assert read_one(**fields).held is held


KIND = '<category domain="kind" nicename="{}"><![CDATA[Reply]]></category>'
META = "<wp:postmeta><wp:meta_key>{}</wp:meta_key><wp:meta_value>https://a.example</wp:meta_value></wp:postmeta>"


@pytest.mark.parametrize(
    ("more", "status", "held"),
    [
        (KIND.format("reply"), "publish", Held.REPLY),
        (KIND.format("note"), "publish", None),
        (META.format("_edit_last") + META.format("mf2_in-reply-to"), "publish", Held.REPLY),
        (META.format("_edit_last"), "publish", None),
        (KIND.format("reply"), "draft", Held.DRAFT),
    ],
)
def test_posts_that_answer_another_blog_wait(more, status, held):
    assert read_one(more=more, status=status).held is held


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "auto-draft"},
        {"status": "inherit"},
        {"status": "trash"},
        {"post_type": "attachment"},
        {"post_type": "nav_menu_item"},
        {"post_type": "revision"},
        {"post_type": "wp_template_part"},
        {"post_type": "feedback"},
        {"post_type": "reply"},
        {"post_type": "shop_order"},
    ],
)
def test_what_is_no_post_is_no_item(fields):
    items = read_all(export(post(), post(guid="g2", **fields)))
    assert [item.external_id for item in items] == ["g1"]


def test_a_type_that_nobody_knows_is_an_item_only_with_words():
    assert [item.external_id for item in read_all(export(post(), post("", guid="g2", post_type="slider")))] == ["g1"]


def test_an_empty_post_says_so():
    assert "Nothing is left to read" in read_one("").reason


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_every_version_of_the_format_is_read(version):
    [item] = read_all(export(post(), head=HEAD.replace("export/1.2/", f"export/{version}/")))
    assert item.author == "Ada L."


def test_comments_are_never_read():
    comment = "<wp:comment><wp:comment_content>Nice!</wp:comment_content></wp:comment>"
    item = read_one(more=comment)
    assert "Nice!" not in item.text + item.original


def test_a_part_in_a_zip_may_be_larger_than_what_is_unpacked_into_memory(monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_ENTRY", 1_000)
    parts = packed({"a.xml": export(*(post(guid=f"g{number}") for number in range(20)))})
    assert [bool(item.reason) for item in read_all(parts, "a.zip")] == [False] * 20


@pytest.mark.parametrize(
    ("creator", "more", "author"),
    [
        ("bob", "", "bob"),
        ("gone", "", "gone"),
        ("", "", ""),
        ("ada", '<category domain="category">Life</category>', "Ada L."),
        ("ada", '<category domain="author">ada</category><category domain="author">cy</category>', "Ada L., cy"),
    ],
)
def test_authors_have_the_names_that_the_blog_shows(creator, more, author):
    assert read_one(creator=creator, more=more).author == author


def test_an_address_stands_in_for_a_missing_id():
    [item] = read_all(export(post(guid="", more="<link>https://a.example/b</link>")))
    assert item.external_id == "https://a.example/b"
    [item] = read_all(export(post(guid="", post_id="7")))
    assert item.external_id == "7"


def test_a_draft_without_a_date_has_none():
    assert read_one(post_date="0000-00-00 00:00:00", status="draft").date is None


def test_the_parts_of_an_export_in_a_zip_are_read_one_after_the_other():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("blog/1.xml", export(post()))
        archive.writestr("blog/2.xml", export(post(guid="g2"))[:-40] + b"<")
        archive.writestr("blog/3.xml", export(post(guid="g3")))
        archive.writestr("blog/other.xml", "<rss/>")
    items = read_all(packed.getvalue(), "blog.zip")
    assert [item.external_id for item in items] == ["g1", "blog/2.xml", "g3"]
    assert "breaks off" in items[1].reason


def test_what_was_read_before_the_file_breaks_off_is_kept():
    items = read_all(export(post(), post(guid="g2", content="Cut " * 100))[:-400])
    assert [item.external_id for item in items] == ["g1", "blog.xml"]
    assert "breaks off" in items[1].reason


@pytest.mark.parametrize(
    "data", [b"<rss><channel/></rss>", b"<html>wordpress.org/export/</html>", b"PK\x05\x06" + b"\0" * 18]
)
def test_other_files_are_not_taken_for_exports(data):
    assert not wordpress.detect(File.of("a.xml", data))


def test_every_post_of_the_made_export_is_right(shared):
    made = shared / "formats" / "made"
    expected = json.loads((made / "expected.json").read_text())["wordpress-wxr-leacock.xml"]["items"]
    file = File.at(made / "wordpress-wxr-leacock.xml", "wordpress-wxr-leacock.xml")
    assert importer_of(file) is wordpress
    items = list(read(file))
    assert len(items) == len(expected)
    names = {"leacock": "Stephen Leacock", "guest": "A Guest Writer"}
    statuses = {"publish": None, "draft": Held.DRAFT, "private": Held.PRIVATE}
    for item, wanted in zip(items, expected, strict=True):
        held = (
            Held.PAGE
            if wanted["type"] == "page"
            else Held.PASSWORD
            if wanted["password"]
            else statuses[wanted["status"]]
        )
        assert (item.title, item.author, item.held) == (wanted["title"], names[wanted["author"]], held)
        # The page has 8 words, whatever the table says: "About this blog: a page, not a post."
        words = 8 if held is Held.PAGE else wanted["words"]
        assert abs(len(item.read.split()) - words) <= words / 100, item.title
        assert item.date
        assert not item.reason


WHOLE = export(
    post("<!-- wp:paragraph --><p>A</p><!-- /wp:paragraph -->"), post("[caption]x[/caption]\n\ny", guid="g2")
)


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 400))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read_all(WHOLE[:at] + put + WHOLE[at + drop :]):
        assert bool(item.read) != bool(item.reason)
