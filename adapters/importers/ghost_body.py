"""The body of a Ghost post as HTML, from whichever of Ghost's editors it was written in.
Knows HTML with cards, Lexical and Mobiledoc. Knows nothing of exports (see `ghost`) or of single cards."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Final

from adapters.importers.ghost_cards import card, contained
from adapters.importers.loose_json import array, parsed, record, records, text

_BEGIN: Final = "<!--kg-card-begin: html-->"
_END: Final = "<!--kg-card-end: html-->"
_NODES: Final = {
    "root": "div",
    "paragraph": "p",
    "heading": "h2",
    "extended-heading": "h2",
    "quote": "blockquote",
    "extended-quote": "blockquote",
    "aside": "blockquote",
    "listitem": "li",
    "link": "a",
    "autolink": "a",
}
_TEXTS: Final = frozenset({"text", "extended-text", "code-highlight"})
_QUOTES: Final = {"pull-quote": "blockquote", "aside": "blockquote"}
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "blockquote"})


def from_html(markup: str) -> str:
    """Ghost's own HTML, in which a card of HTML can leave open whatever it likes: it is kept within."""
    return "".join(_with_cards(markup))


def from_lexical(source: str) -> str:
    """The newer editor's. Raises RecursionError for what is nested too deeply."""
    return _node(record(record(parsed(source)).get("root")))


def from_mobiledoc(source: str) -> str:
    """The older editor's."""
    document = record(parsed(source))
    return "".join(_section(array(section), document) for section in array(document.get("sections")))


def _with_cards(markup: str) -> Iterator[str]:
    start = 0
    while (begin := markup.find(_BEGIN, start)) >= 0 and (end := markup.find(_END, begin)) >= 0:
        yield markup[start:begin]
        yield f'<div class="embed">{contained(markup[begin + len(_BEGIN) : end])}</div>'
        start = end + len(_END)
    yield markup[start:]


def _node(node: dict[str, Any]) -> str:
    kind = text(node.get("type"))
    if kind in _TEXTS:
        # The editor shows what stands in it with its lines.
        return html.escape(node["text"]).replace("\n", "<br>") if isinstance(node.get("text"), str) else ""
    if kind == "linebreak":
        return "<br>"
    if "children" not in node:
        return card(kind, node)
    inside = "".join(_node(child) for child in records(node["children"]))
    if kind == "list":
        number = text(node.get("start")) or "1"
        return (
            f'<ol start="{html.escape(number)}">{inside}</ol>'
            if node.get("listType") == "number"
            else f"<ul>{inside}</ul>"
        )
    element = _NODES.get(kind, "div")
    return f"<{element}>{inside}</{element}>"


def _section(section: list[Any], document: dict[str, Any]) -> str:
    match section:
        case [1, str(tag), list(markers), *_]:
            element = tag if tag in _HEADINGS else _QUOTES.get(tag, "p")
            return f"<{element}>{_markers(markers, document)}</{element}>"
        case [3, str(tag), list(entries), *_]:
            element = "ol" if tag == "ol" else "ul"
            inside = "".join(f"<li>{_markers(array(entry), document)}</li>" for entry in entries)
            return f"<{element}>{inside}</{element}>"
        case [10, int(number), *_]:
            match _at(document.get("cards"), number):
                case [str(name), dict(fields), *_]:
                    return card(name, fields)
    return ""


def _markers(markers: list[Any], document: dict[str, Any]) -> str:
    found = []
    for marker in markers:
        match marker:
            case [0, _, _, str(words), *_]:
                found.append(html.escape(words))
            case [1, _, _, int(number), *_]:
                match _at(document.get("atoms"), number):
                    case ["soft-return", *_]:
                        found.append("<br>")
                    case [_, str(words), *_]:
                        found.append(html.escape(words))
    return "".join(found)


def _at(values: object, number: int) -> Any:
    entries = array(values)
    return entries[number] if 0 <= number < len(entries) else None
