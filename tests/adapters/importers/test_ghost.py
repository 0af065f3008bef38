"""Ghost's exports: posts, their authors and what waits."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, ghost, importer_of, read


def export(*posts: dict[str, Any], **tables: Any) -> bytes:
    data = {"posts": list(posts), **tables}
    return json.dumps({"db": [{"meta": {"version": "5.0.0"}, "data": data}]}).encode()


def read_all(data: bytes) -> list[Item]:
    return list(read(File.of("ghost.json", data)))


def read_one(**fields: Any) -> Item:
    [item] = read_all(export({"id": "1", "title": "Tea", "html": "<p>Words.</p>", **fields}))
    return item


def test_a_post_is_read_with_all_that_is_said_of_it():
    item = read_one(uuid="u", published_at="2021-01-06T09:30:00.000Z", status="published")
    assert (item.external_id, item.title, item.date) == ("1", "Tea", date(2021, 1, 6))
    assert (item.text, item.original, item.held) == ("Words.", "<p>Words.</p>", None)


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"status": "published"}, None),
        ({"status": "sent"}, None),
        ({"visibility": "paid"}, None),
        ({"status": "draft"}, Held.DRAFT),
        ({"status": "scheduled"}, Held.SCHEDULED),
        ({"type": "page"}, Held.PAGE),
        ({"page": True}, Held.PAGE),
        ({"page": 1}, Held.PAGE),
        ({"page": 0}, None),
    ],
)
def test_what_is_not_simply_published_waits(fields, held):
    assert read_one(**fields).held is held


def test_authors_come_in_their_order():
    users = [{"id": "a", "name": "Ada", "email": "ada@example.org"}, {"id": "b", "name": "Bob"}]
    links = [
        {"post_id": "1", "author_id": "a", "sort_order": 10},
        {"post_id": "1", "author_id": "b", "sort_order": 9},
        {"post_id": "1", "author_id": "gone", "sort_order": 0},
    ]
    [item] = read_all(export({"id": "1", "html": "x"}, users=users, posts_authors=links))
    assert item.author == "Bob, Ada"


@pytest.mark.parametrize("post", [{"author_id": 1}, {"authors": [{"name": "Ada", "email": "ada@example.org"}]}])
def test_older_exports_and_the_api_name_authors_in_the_post(post):
    [item] = read_all(export({"id": "1", "html": "x", **post}, users=[{"id": 1, "name": "Ada"}]))
    assert item.author == "Ada"


@pytest.mark.parametrize("envelope", ['{"db":[{"meta":{},"data":%s}]}', '{"meta":{},"data":%s}', '{"data":%s}', "%s"])
def test_every_envelope_is_known(envelope):
    data = (envelope % '{"posts":[{"id":"1","html":"Words.","lexical":null}]}').encode()
    assert importer_of(File.of("any.json", data)) is ghost
    assert [item.read for item in read_all(data)] == ["Words."]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"posts": [{"body": "x"}]}', b'{"data": {}}', b"\xff\xfe{"])
def test_other_json_is_not_taken_for_an_export(data):
    assert not ghost.detect(File.of("any.json", data))


@pytest.mark.parametrize(
    ("bodies", "words"),
    [
        ({"html": "<p>H</p>", "lexical": "{}"}, "H"),
        ({"html": None, "lexical": '{"root":{"children":[{"type":"text","text":"L"}]}}'}, "L"),
        ({"html": "", "mobiledoc": '{"sections":[[1,"p",[[0,[],0,"M"]]]]}'}, "M"),
        ({"html": None, "lexical": "broken", "plaintext": "One\ntwo\n\nthree"}, "One\ntwo\n\nthree"),
        ({"html": None, "markdown": "*One*"}, "One"),
    ],
)
def test_the_body_is_what_there_is_of_one(bodies, words):
    assert read_one(**bodies).read == words


def test_a_post_without_a_body_says_so():
    assert "Nothing is left to read" in read_one(html=None).reason


def test_a_post_that_is_nested_too_deeply_is_left_out_alone():
    deep = json.dumps({"html": None, "lexical": '{"root":' + '{"children":[' * 330 + "]}" * 330 + "}"})
    items = read_all(export({"id": "1", **json.loads(deep)}, {"id": "2", "html": "Words."}))
    assert bool(items[0].reason)
    assert items[1].read == "Words."


@pytest.mark.parametrize(
    "data", [b'{"db":[{"data":', b'{"db":[' + b"[" * 100_000, b'{"db":[{"data":{"posts":[{"id":' + b"9" * 5000 + b"}"]
)
def test_broken_files_say_so(data):
    [item] = read_all(data)
    assert "damaged" in item.reason


def test_wrong_kinds_of_values_are_nothing():
    junk = [None, [], {}, 1, "x", [[]], {"a": []}, True]
    names = ["id", "title", "html", "lexical", "status", "page", "type", "authors", "published_at", "author_id"]
    posts = [{name: value} for name in names for value in junk]
    tables = [{"users": value, "posts_authors": value} for value in junk]
    for table in tables:
        assert isinstance(read_all(export(*posts, **table)), list)
    for value in junk:
        assert isinstance(read_all(json.dumps({"db": [{"data": value}, value]}).encode()), list)
        assert isinstance(read_all(json.dumps({"db": [{"data": {"posts": [value, {"html": "x"}]}}]}).encode()), list)


def test_every_post_of_the_made_export_is_right(shared):
    made = shared / "formats" / "made"
    expected = json.loads((made / "expected.json").read_text())["ghost-export-jerome.json"]["items"]
    file = File.at(made / "ghost-export-jerome.json", "ghost-export-jerome.json")
    assert importer_of(file) is ghost
    *items, page = read(file)
    assert (page.title, page.held) == ("About", Held.PAGE)
    assert len(items) == len(expected)
    held = {"published": None, "draft": Held.DRAFT, "scheduled": Held.SCHEDULED}
    for item, wanted in zip(items, expected, strict=True):
        assert (item.title, item.author, item.held) == (wanted["title"], wanted["author"], held[wanted["status"]])
        assert abs(len(item.read.split()) - wanted["words"]) <= wanted["words"] / 100, item.title
        assert not item.reason
    assert len({item.external_id for item in [*items, page]}) == 15


def test_html_and_lexical_of_the_same_post_have_the_same_words(shared):
    export = json.loads((shared / "formats" / "made" / "ghost-export-jerome.json").read_text())
    posts = [post for post in export["db"][0]["data"]["posts"] if post["html"] and post["lexical"]]
    assert len(posts) > 8
    for post in posts:
        assert read_one(html=post["html"]).read.split() == read_one(html=None, lexical=post["lexical"]).read.split()


def test_found_exports_are_read(shared):
    found = shared / "formats" / "found" / "ghost"
    [item] = read(File.at(found / "ghost-content-api-posts.json", "api.json"))
    assert (item.title, item.author, item.date) == ("Welcome", "Ghost", date(2012, 11, 27))
    items = list(read(File.at(found / "ghost-export-minimal.json", "export.json")))
    assert [(item.title, item.author, bool(item.reason)) for item in items] == [
        ("Post 1", "Alice Johnson", False),
        ("Post 2", "Bob Smith", False),
        ("Post 3 - Lexical", "", True),
    ]


WHOLE = export(
    {"id": "1", "title": "a", "html": "<p>x</p>", "status": "draft"},
    {"id": "2", "lexical": '{"root":{"children":[{"type":"paragraph","children":[{"type":"text","text":"y"}]}]}}'},
    {"id": "3", "mobiledoc": '{"cards":[["html",{"html":"z"}]],"sections":[[1,"p",[[0,[],0,"y"]]],[10,0]]}'},
    users=[{"id": "u", "name": "Ada"}],
    posts_authors=[{"post_id": "1", "author_id": "u", "sort_order": 0}],
)


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read_all(WHOLE[:at] + put + WHOLE[at + drop :]):
        assert bool(item.read) != bool(item.reason)


LEAVES = some.none() | some.booleans() | some.integers() | some.text(max_size=5)
NAMES = some.sampled_from(
    ["id", "html", "lexical", "mobiledoc", "users", "authors", "name", "type", "status", "sort_order"]
)


@settings(max_examples=50, deadline=None)
@given(
    some.recursive(LEAVES, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(NAMES, inner, max_size=3))
)
def test_whatever_stands_in_a_table_only_items_come_out(value):
    for item in read_all(export({"id": "1", "html": value}, value, posts_authors=value, users=value)):
        assert isinstance(item, Item)
