"""Ricos, the document in which Wix keeps a post, as HTML that says by its classes what is no prose.
Knows its nodes. Knows nothing of tables or exports."""

from __future__ import annotations

import html
from typing import Any, Final

from adapters.importers.hypertext import as_paragraphs, marked
from adapters.importers.loose_json import array, record, records, text

_ELEMENTS: Final = {
    "PARAGRAPH": "p",
    "HEADING": "h2",
    "BULLETED_LIST": "ul",
    "ORDERED_LIST": "ol",
    "LIST_ITEM": "li",
    "BLOCKQUOTE": "blockquote",
    "CODE_BLOCK": "pre",
    "CAPTION": "figcaption",
    "TABLE": "table",
    "TABLE_ROW": "tr",
    "TABLE_CELL": "td",
}
# Nodes with words of their own: what they are, under which name, and the fields.
_CARDS: Final = {
    "IMAGE": ("figcaption", "", "imageData", ("caption",)),
    "VIDEO": ("div", "embed", "videoData", ("title",)),
    "AUDIO": ("div", "embed", "audioData", ("name", "authorName")),
    "FILE": ("div", "embed", "fileData", ("name",)),
    "LINK_PREVIEW": ("div", "embed", "linkPreviewData", ("title", "description")),
    "APP_EMBED": ("div", "embed", "appEmbedData", ("name",)),
    "HTML": ("div", "embed", "htmlData", ("html",)),
    "BUTTON": ("div", "kg-button-card", "buttonData", ("text",)),
}


def from_ricos(document: object) -> str:
    """The document's words. Raises RecursionError for what is nested too deeply."""
    return "".join(_node(node) for node in records(record(document).get("nodes")))


def _node(node: dict[str, Any]) -> str:
    kind = text(node.get("type"))
    if kind == "TEXT":
        words = record(node.get("textData")).get("text")
        return html.escape(words) if isinstance(words, str) else ""
    if kind == "GALLERY":
        titles = [text(picture.get("title")) for picture in records(record(node.get("galleryData")).get("items"))]
        return "".join(f"<figcaption>{html.escape(title)}</figcaption>" for title in titles if title)
    inside = "".join(_node(child) for child in records(array(node.get("nodes"))))
    if kind in _CARDS:
        element, name, data, fields = _CARDS[kind]
        words = "".join(as_paragraphs(marked(text(record(node.get(data)).get(field))).text) for field in fields)
        return f'<{element} class="{name}">{words}</{element}>{inside}'
    element = _ELEMENTS.get(kind, "div")
    # The editor shows what stands in a paragraph with its lines.
    return f"<{element}>{inside if element == 'pre' else inside.replace(chr(10), '<br>')}</{element}>"
