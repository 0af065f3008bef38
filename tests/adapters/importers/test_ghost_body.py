"""Bodies from Ghost's editors: the same words and the same cuts from each."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers.ghost_body import from_html, from_lexical, from_mobiledoc
from adapters.importers.hypertext import marked
from adapters.importers.marked import pieces


def lexical(*nodes: dict[str, Any]) -> list[tuple[str, str]]:
    return shown(from_lexical(json.dumps({"root": {"type": "root", "children": list(nodes)}})))


def mobiledoc(*sections: list[Any], cards: Any = (), atoms: Any = ()) -> list[tuple[str, str]]:
    return shown(
        from_mobiledoc(json.dumps({"sections": sections, "cards": cards, "atoms": atoms, "markups": [["em"]]}))
    )


def shown(markup: str) -> list[tuple[str, str]]:
    found = marked(markup)
    return [(text.strip("\n"), rule) for text, rule in pieces(found.text, found.cuts) if text.strip()]


def words(text: str) -> dict[str, Any]:
    return {"type": "extended-text", "text": text, "format": 1}


def node(kind: str, *children: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": kind, "children": list(children), **fields}


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([node("paragraph", words("a < b "), words("c"))], [("a < b c", "")]),
        ([node("paragraph", words("a"), {"type": "linebreak"}, words("b"))], [("a\nb", "")]),
        ([node("paragraph", words("a\nb"))], [("a\nb", "")]),
        ([node("extended-heading", words("A"), tag="h3"), node("paragraph", words("b"))], [("A\n\nb", "")]),
        ([node("paragraph", node("link", words("a"), url="x"), words(" b"))], [("a b", "")]),
        ([node("list", node("listitem", words("a")), listType="bullet")], [("- a", "")]),
        ([node("list", node("listitem", words("a")), listType="number", start=3)], [("3. a", "")]),
        ([node("quote", words("a"))], [("> a", "quotation")]),
        ([node("aside", words("a"))], [("> a", "quotation")]),
        ([node("something", words("a"))], [("a", "")]),
        ([{"type": "horizontalrule"}, {"type": "paywall"}], []),
        ([{"type": "text"}, {"type": ["text"]}, {}], []),
    ],
)
def test_lexical_nodes_are_read(nodes, found):
    assert lexical(*nodes) == found


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        ([[1, "p", [[0, [0], 1, "a < b"], [0, [], 0, " c"]]]], [("a < b c", "")]),
        ([[1, "p", [[0, [], 0, "a"], [1, [], 0, 0], [0, [], 0, "b"], [1, [], 0, 1]]]], [("a\nb@ada", "")]),
        ([[1, "h2", [[0, [], 0, "A"]]], [1, "p", [[0, [], 0, "b"]]]], [("A\n\nb", "")]),
        ([[3, "ul", [[[0, [], 0, "a"]], [[0, [], 0, "b"]]]]], [("- a\n- b", "")]),
        ([[3, "ol", [[[0, [], 0, "a"]]]]], [("1. a", "")]),
        ([[1, "blockquote", [[0, [], 0, "a"]]]], [("> a", "quotation")]),
        ([[1, "aside", [[0, [], 0, "a"]]]], [("> a", "quotation")]),
        ([[2, "https://a.example/b.png"], [10, 7], [10, -1], [], [1], [1, 2, 3], None], []),
    ],
)
def test_mobiledoc_sections_are_read(sections, found):
    assert mobiledoc(*sections, atoms=[["soft-return", "", {}], ["mention", "@ada", {}]]) == found


@pytest.mark.parametrize(
    ("name", "fields", "found"),
    [
        ("image", {"caption": "A <b>cat</b>", "alt": "x"}, [("A cat", "caption")]),
        ("gallery", {"caption": "Cats"}, [("Cats", "caption")]),
        ("html", {"html": "<div><p>Ad"}, [("Ad", "embed")]),
        ("bookmark", {"metadata": {"title": "T", "description": "D"}, "caption": "C"}, [("T\n\nD\n\nC", "embed")]),
        ("embed", {"html": "<iframe></iframe>", "caption": "A talk"}, [("A talk", "embed")]),
        ("button", {"buttonText": "Buy", "buttonUrl": "x"}, [("Buy", "widget")]),
        ("signup", {"header": "Join", "disclaimer": "No spam"}, [("Join\n\nNo spam", "subscribe")]),
        ("email-cta", {"html": "<p>Pay</p>", "buttonText": "Now"}, [("Pay\n\nNow", "subscribe")]),
        ("code", {"code": "a < b\n\nc", "caption": "Listing"}, [("a < b\n\nc", "code"), ("Listing", "caption")]),
        ("codeblock", {"code": "a", "language": "c"}, [("a", "code")]),
        ("callout", {"calloutText": "<b>Mine", "calloutEmoji": "x"}, [("Mine", "")]),
        ("toggle", {"heading": "Why", "content": "<p>Because</p>"}, [("Why\n\nBecause", "")]),
        ("header", {"header": "Hello", "buttonText": "Go"}, [("Hello", ""), ("Go", "widget")]),
        ("product", {"productTitle": "Tea", "productButton": "Buy"}, [("Tea", ""), ("Buy", "widget")]),
        ("markdown", {"markdown": "*One*\n\n    two"}, [("One", ""), ("two", "code")]),
        ("nobody-knows", {"someText": "Words", "url": "x", "number": 3}, [("Words", "embed")]),
        ("image", {"caption": ["no"]}, []),
    ],
)
def test_cards_are_cut_or_read_alike_in_both_editors(name, fields, found):
    after = ("After.", "")
    whole = [*found[:-1], (f"{found[-1][0]}\n\nAfter.", "")] if found and not found[-1][1] else [*found, after]
    assert lexical({"type": name, **fields}, node("paragraph", words("After."))) == whole
    assert mobiledoc([10, 0], [1, "p", [[0, [], 0, "After."]]], cards=[[name, fields]]) == whole


def test_a_card_of_html_leaves_nothing_open():
    markup = "<p>a</p><!--kg-card-begin: html--><div><div>Ad</p><!--kg-card-end: html--><p>b</p>"
    assert shown(from_html(markup)) == [("a", ""), ("Ad", "embed"), ("b", "")]


def test_a_card_without_an_end_is_read_like_the_rest():
    assert shown(from_html("<p>a</p><!--kg-card-begin: html--><p>b</p>")) == [("a\n\nb", "")]


JSON = some.recursive(
    some.none() | some.integers(0, 12) | some.sampled_from(["p", "text", "html", "image", "list", "soft-return"]),
    lambda inner: (
        some.lists(inner, max_size=4)
        | some.dictionaries(
            some.sampled_from(["type", "text", "children", "root", "cards", "sections"]), inner, max_size=4
        )
    ),
)


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_any_document_is_read(value):
    for document in (value, {"root": value}, {"sections": value, "cards": value, "atoms": value}):
        assert isinstance(shown(from_lexical(json.dumps(document))), list)
        assert isinstance(shown(from_mobiledoc(json.dumps(document))), list)
