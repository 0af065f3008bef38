"""Blogger's backups and answers: posts, and nothing of settings, templates and comments."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, archive, blogger, importer_of, read
from tests.adapters.importers.zips import damaged, packed, stored

HEAD = """<?xml version='1.0' encoding='UTF-8'?><feed xmlns='http://www.w3.org/2005/Atom'
 xmlns:blogger='http://schemas.google.com/blogger/2018' xmlns:app='http://purl.org/atom/app#'><title>Blog</title>"""
END = "</feed>"
KIND = "http://schemas.google.com/blogger/2008/kind"
AUTHOR = "<author><name>Ada L.</name><email>noreply@blogger.com</email></author>"


def old(kind: str = "post", more: str = "", number: int = 7) -> str:
    """An entry of a backup as it was until 2024."""
    return (
        f"<entry><id>tag:blogger.com,1999:blog-1.post-{number}</id><published>2017-06-20T23:32:00.000-04:00</published>"
        f"<category scheme='http://schemas.google.com/g/2005#kind' term='{KIND}#{kind}'/>"
        f"<category scheme='http://www.blogger.com/atom/ns#' term='b'/><title type='text'>Ham &amp;amp; Eggs</title>"
        f"<content type='html'>&lt;p&gt;Some words.&lt;/p&gt;</content>{AUTHOR}{more}</entry>"
    )


def new(kind: str = "POST", status: str = "LIVE") -> str:
    """An entry as it is now."""
    return (
        f"<entry><id>tag:blogger.com,1999:blog-1.post-7</id><blogger:type>{kind}</blogger:type>"
        f"<blogger:status>{status}</blogger:status><author><name>Ada L.</name><blogger:type>BLOGGER</blogger:type>"
        "</author><title>Ham &amp;amp; Eggs</title><content type='html'>&lt;p&gt;Some words.&lt;/p&gt;</content>"
        "<published>2017-06-20T23:32:00.000Z</published></entry>"
    )


def backup(*entries: str) -> bytes:
    return f"{HEAD}{''.join(entries)}{END}".encode()


def answer(**fields: Any) -> dict[str, Any]:
    return {
        "kind": "blogger#post",
        "id": "7",
        "published": "2017-06-20T23:32:00-04:00",
        "title": "Ham &amp; Eggs",
        "content": "<p>Some words.</p>",
        "author": {"displayName": "Ada L."},
        **fields,
    }


def read_all(data: bytes, name: str = "blog.xml") -> list[Item]:
    return list(read(File.of(name, data)))


@pytest.mark.parametrize(
    "data",
    [
        backup(old()),
        backup(new()),
        json.dumps([answer()]).encode(),
        json.dumps(answer()).encode(),
        json.dumps({"kind": "blogger#postList", "items": [answer()]}).encode(),
        packed({"Takeout/Blogger/Blogs/Tea/feed.atom": backup(new()), "Takeout/Blogger/Blogs/Tea/settings.csv": "a"}),
    ],
)
def test_a_post_is_read_alike_from_every_kind_of_export(data):
    assert importer_of(File.of("any", data)) is blogger
    [item] = read_all(data)
    assert (item.external_id, item.title, item.author) == ("7", "Ham & Eggs", "Ada L.")
    assert (item.date, item.text, item.held) == (date(2017, 6, 20), "Some words.", None)
    assert item.original == "<p>Some words.</p>"


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (backup(old(more="<app:control><app:draft>yes</app:draft></app:control>")), Held.DRAFT),
        (backup(old(more="<app:control><app:draft>no</app:draft></app:control>")), None),
        (backup(old("page")), Held.PAGE),
        (backup(new(status="DRAFT")), Held.DRAFT),
        (backup(new(status="SCHEDULED")), Held.SCHEDULED),
        (backup(new("PAGE")), Held.PAGE),
        (json.dumps([answer(status="DRAFT")]).encode(), Held.DRAFT),
        (json.dumps([answer(kind="blogger#page")]).encode(), Held.PAGE),
    ],
)
def test_what_is_not_simply_published_waits(data, held):
    assert [item.held for item in read_all(data)] == [held]


@pytest.mark.parametrize(
    "data",
    [
        backup(old(number=1), old("comment"), old("settings"), old("template")),
        backup(new(), new("COMMENT"), new(status="SOFT_TRASHED")),
        json.dumps([answer(), {"kind": "blogger#comment", "content": "Nice!"}, answer(status="SOFT_TRASHED")]).encode(),
    ],
)
def test_what_is_no_post_is_no_item(data):
    assert len(read_all(data)) == 1


def test_pictures_with_captions_are_cut():
    table = (
        '<table class="tr-caption-container"><tr><td><img/></td></tr><tr><td class="tr-caption">A cat</td></tr></table>'
    )
    [item] = read_all(json.dumps([answer(content=f"One.<br /><br />{table}Two.")]).encode())
    assert item.read == "One.\n\nTwo."
    assert {cut.rule for cut in item.cuts} == {"caption"}


TAKEOUT = {
    "Takeout/archive_browser.html": "<html><body><p>What is in your archive.</p></body></html>",
    "Takeout/Blogger/Blogs/Tea & Cake/feed.atom": backup(
        new(), new("COMMENT"), new("PAGE").replace("post-7", "page-8")
    ),
    "Takeout/Blogger/Blogs/Tea & Cake/settings.csv": "blog_name,blog_locale\nTea,en\n",
    "Takeout/Blogger/Blogs/Tea & Cake/theme-layouts.xml": "<?xml version='1.0'?><html><b:skin/></html>",
    "Takeout/Blogger/Blogs/Tea & Cake/theme-classic.html": "<html><body><p>A theme.</p></body></html>",
    "Takeout/Blogger/Blogs/Ébène/feed.atom": backup(new().replace("post-7", "post-9"), new(status="DRAFT")),
    "Takeout/Blogger/Albums/Tea/cup.jpg": b"\xff\xd8\xff",
    "Takeout/Blogger/Albums/Tea/cup.jpg.json": '{"title": "cup.jpg"}',
    "Takeout/Blogger/Albums/Tea/metadata.json": '{"title": "Tea"}',
    "Takeout/Blogger/Comments/Somebody’s blog/feed.atom": backup(new("COMMENT").replace("post-7", "post-10")),
    "Takeout/Blogger/Profile/profile.csv": "name\nAda\n",
}


def test_of_what_google_packs_only_the_posts_of_every_blog_are_read():
    data = packed(TAKEOUT)
    assert importer_of(File.of("takeout-20240128T100000Z-001.zip", data)) is blogger
    assert [(item.external_id, item.held, item.reason) for item in read_all(data, "takeout.zip")] == [
        ("7", None, ""), ("8", Held.PAGE, ""), ("9", None, ""), ("7", Held.DRAFT, ""),
    ]  # fmt: skip


def test_a_blog_may_be_larger_than_what_is_unpacked_into_memory(monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_ENTRY", 1_000)
    blog = {"Blogs/Tea/feed.atom": backup(*(old(number=number) for number in range(50)))}
    assert [bool(item.reason) for item in read_all(packed(blog), "a.zip")] == [False] * 50


def test_a_damaged_blog_in_a_zip_is_left_out_alone():
    files = {"a/feed.atom": backup(new())[:-20], "b/feed.atom": backup(new()), "c/feed.atom": b"Broken" + backup(new())}
    items = read_all(damaged(stored(files), b"Broken"), "takeout.zip")
    assert [(item.external_id, bool(item.reason)) for item in items] == [("a/feed.atom", True), ("7", False)]


@pytest.mark.parametrize(
    "data",
    [
        b"<feed xmlns='http://www.w3.org/2005/Atom' xmlns:blogger='http://schemas.google.com/blogger/2008'/>",
        b"<rss>http://schemas.google.com/blogger/2018</rss>",
        b'{"kind": "blog"}',
        b'"kind": "blogger#post"',
        b"",
    ],
)
def test_other_files_are_not_taken_for_blogger(data):
    assert not blogger.detect(File.of("a.xml", data))


def test_the_found_answer_is_read(shared):
    items = list(read(File.at(shared / "formats" / "found" / "blogger" / "api-response.json", "api-response.json")))
    assert [(item.external_id, item.title, item.author, item.date) for item in items] == [
        ("1234563682306064159", "Lorem", "Important Author & Co.", date(2017, 6, 20)),
        ("2345676562043355500", "Ipsum", "Important Author", date(2017, 6, 5)),
        ("3456784740969377563", "Dolor", "Important Author", date(2017, 5, 21)),
    ]
    assert items[2].read.startswith("Lorem ipsum dolor sit amet, consectetur adipiscing elit\n\nAliquam non")


WHOLE = backup(old(), new(), old("comment"))


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 400))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read_all(WHOLE[:at] + put + WHOLE[at + drop :]):
        assert bool(item.read) != bool(item.reason)


ANY = some.recursive(
    some.none() | some.integers() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["kind", "author", "items", "displayName"]), inner, max_size=3)
    ),
)


@settings(max_examples=50, deadline=None)
@given(value=ANY, name=some.sampled_from(["author", "title", "content", "published", "id", "status", "items"]))
def test_whatever_stands_in_an_answer_only_items_come_out(value, name):
    for answers in ([answer(**{name: value}), value], {"kind": "blogger#postList", "items": value}):
        for item in read_all(json.dumps(answers).encode(), "a.json"):
            assert bool(item.read) != bool(item.reason)
