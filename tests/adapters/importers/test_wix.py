"""Wix's table of posts, and the document in each of its rows."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, importer_of, read, wix

COLUMNS = ["Author", "Title", "Excerpt", "ID", "Slug", "Plain Content", "Published Date", "Rich Content", "Internal ID"]


def read_all(*rows: dict[str, str]) -> list[Item]:
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return list(read(File.of("posts.csv", table.getvalue().encode("utf-8", "replace"))))


def row(**more: str) -> dict[str, str]:
    return {
        "Author": "Ada L.",
        "Title": "Tea",
        "ID": "p1",
        "Plain Content": "One\n\ntwo",
        "Published Date": "2025-10-01T10:00:00Z",
        "Internal ID": "i1",
    } | {name.replace("_", " "): value for name, value in more.items()}


def document(*nodes: Any) -> list[tuple[str, str]]:
    """What is read of it, and what is cut by which rule."""
    [item] = read_all(row(Rich_Content=json.dumps({"nodes": nodes})))
    return [("", item.read), *((cut.rule, item.text[cut.start : cut.end].strip()) for cut in item.cuts)]


def node(kind: str, *children: Any, **data: Any) -> dict[str, Any]:
    return {"type": kind, "nodes": list(children), **data}


def words(text: str) -> dict[str, Any]:
    return {"type": "TEXT", "textData": {"text": text, "decorations": [{"type": "BOLD"}]}}


LAST = node("PARAGRAPH", words("End."))


def test_a_post_is_read_with_all_that_is_said_of_it():
    [item] = read_all(row())
    assert (item.external_id, item.title, item.author) == ("p1", "Tea", "Ada L.")
    assert (item.date, item.text, item.held, item.original) == (date(2025, 10, 1), "One\n\ntwo", None, "One\n\ntwo")


def test_what_has_no_date_was_never_published():
    assert read_all(row(Published_Date=""))[0].held is Held.DRAFT


@pytest.mark.parametrize("fields", [{"ID": ""}, {"ID": "", "Internal_ID": "", "Slug": "i1"}])
def test_another_name_stands_in_for_a_missing_id(fields):
    assert read_all(row(**fields))[0].external_id == "i1"


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([node("PARAGRAPH", words("a < b "), words("c\nd"))], [("", "a < b c\nd\n\nEnd.")]),
        ([node("HEADING", words("A"))], [("", "A\n\nEnd.")]),
        ([node("BULLETED_LIST", node("LIST_ITEM", node("PARAGRAPH", words("a"))))], [("", "- a\n\nEnd.")]),
        ([node("ORDERED_LIST", node("LIST_ITEM", node("PARAGRAPH", words("a"))))], [("", "1. a\n\nEnd.")]),
        ([node("BLOCKQUOTE", node("PARAGRAPH", words("a")))], [("", "End."), ("quotation", "> a")]),
        ([node("CODE_BLOCK", words("a\n  b"))], [("", "End."), ("code", "a\n  b")]),
        ([node("IMAGE", imageData={"caption": "A cat"})], [("", "End."), ("caption", "A cat")]),
        ([node("IMAGE", node("CAPTION", words("A cat")), imageData={})], [("", "End."), ("caption", "A cat")]),
        ([node("GALLERY", galleryData={"items": [{"title": "Cats"}]})], [("", "End."), ("caption", "Cats")]),
        ([node("LINK_PREVIEW", linkPreviewData={"title": "T"})], [("", "End."), ("embed", "T")]),
        ([node("HTML", htmlData={"html": "<div><p>Ad"})], [("", "End."), ("embed", "Ad")]),
        ([node("BUTTON", buttonData={"text": "Buy"})], [("", "End."), ("widget", "Buy")]),
        ([node("COLLAPSIBLE_ITEM", node("PARAGRAPH", words("a")))], [("", "a\n\nEnd.")]),
        ([node("DIVIDER"), {}, None, [], node("TEXT", textData=[1])], [("", "End.")]),
    ],
)
def test_the_nodes_of_a_document_are_read(nodes, found):
    assert document(*nodes, LAST) == found


@pytest.mark.parametrize("rich", ["not-json", "", "{}", "[]", '{"nodes": 3}', "[" * 5000])
def test_without_a_document_the_plain_text_is_read(rich):
    assert read_all(row(Rich_Content=rich))[0].read == "One\n\ntwo"


def test_a_post_that_is_nested_too_deeply_is_left_out_alone():
    deep = '{"nodes":[' * 330 + "]}" * 330
    first, second = read_all(row(Rich_Content=deep), row(ID="p2"))
    assert bool(first.read) != bool(first.reason)
    assert second.read == "One\n\ntwo"


def test_the_found_table_is_read(shared):
    file = File.at(shared / "formats" / "found" / "wix" / "posts.csv", "posts.csv")
    assert importer_of(file) is wix
    assert [(item.external_id, item.title, item.author, item.read, item.date, item.held) for item in read(file)] == [
        ("post-1", "Hello Wix", "Jane Writer", "Hello world", date(2025, 10, 1), None),
        ("post-2", "Draft Wix", "", "Draft plain", None, Held.DRAFT),
    ]


WHOLE = (
    b"Title,ID,Plain Content,Published Date,Rich Content\n"
    b'Tea,p1,Words,2025-10-01,"{""nodes"":[{""type"":""TEXT"",""textData"":{""text"":""a""}}]}"\nCake,p2,x,,\n'
)


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read(File.of("posts.csv", WHOLE[:at] + put + WHOLE[at + drop :])):
        assert bool(item.read) != bool(item.reason)


ANY = some.recursive(
    some.none() | some.integers() | some.sampled_from(["TEXT", "IMAGE", "GALLERY", "PARAGRAPH", "x"]),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["type", "nodes", "textData", "text", "imageData"]), inner, max_size=3)
    ),
)


@settings(max_examples=50, deadline=None)
@given(ANY)
def test_whatever_stands_in_a_document_only_items_come_out(value):
    for rich in (value, {"nodes": value}, {"nodes": [value]}):
        for item in read_all(row(Rich_Content=json.dumps(rich))):
            assert bool(item.read) != bool(item.reason)
