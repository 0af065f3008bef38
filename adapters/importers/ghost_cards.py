"""Ghost's cards, the parts of a post that are no paragraphs, as HTML that says by its classes what they are.
Knows their names and fields in both of Ghost's editors. Knows nothing of posts."""

from __future__ import annotations

import html
from typing import Any, Final

from adapters.importers.hypertext import as_paragraphs, marked
from adapters.importers.loose_json import record, text
from adapters.importers.prose import as_html

_EMBED: Final = '<div class="embed">'
_CAPTION: Final = '<div class="wp-caption-text">'
_SUBSCRIBE: Final = '<div class="subscribe">'
_BUTTON: Final = '<div class="kg-button-card">'
_PROSE: Final = "<div>"

# Each card in parts: what a part is, and the fields whose words are in it.
_CARDS: Final[dict[str, tuple[tuple[str, tuple[str, ...]], ...]]] = {
    "image": ((_CAPTION, ("caption",)),),
    "gallery": ((_CAPTION, ("caption",)),),
    "video": ((_CAPTION, ("caption",)),),
    "audio": ((_EMBED, ("title", "caption")),),
    "file": ((_EMBED, ("fileTitle", "fileCaption", "fileName")),),
    "bookmark": ((_EMBED, ("title", "description", "caption")),),
    "embed": ((_EMBED, ("html", "caption")),),
    "html": ((_EMBED, ("html",)),),
    "button": ((_BUTTON, ("buttonText",)),),
    "call-to-action": ((_BUTTON, ("textValue", "buttonText")),),
    "signup": ((_SUBSCRIBE, ("header", "subheader", "disclaimer", "buttonText")),),
    "email": ((_SUBSCRIBE, ("html",)),),
    "email-cta": ((_SUBSCRIBE, ("html", "buttonText")),),
    "callout": ((_PROSE, ("calloutText",)),),
    "toggle": ((_PROSE, ("heading", "content")),),
    "header": ((_PROSE, ("header", "heading", "subheader")), (_BUTTON, ("buttonText",))),
    "product": ((_PROSE, ("productTitle", "productDescription")), (_BUTTON, ("productButton",))),
    "paywall": (),
}
# Of a card that nobody knows, the fields that hold words by their names.
_WORDS: Final = ("text", "title", "caption", "html", "content", "heading", "header", "description", "markdown")


def card(name: str, fields: dict[str, Any]) -> str:
    """The words of a card."""
    name = name.removeprefix("card-")
    if name == "markdown":
        return f"<div>{as_html(text(fields.get('markdown')))}</div>"
    if name in {"code", "codeblock"}:
        listing = html.escape(text(fields.get("code")))
        return f"<pre>{listing}</pre>{_part(_CAPTION, ('caption',), fields)}"
    fields = {**fields, **record(fields.get("metadata"))}  # what a bookmark leads to
    parts = _CARDS.get(name)
    if parts is None:
        parts = ((_EMBED, tuple(field for field in fields if str(field).lower().endswith(_WORDS))),)
    return "".join(_part(element, names, fields) for element, names in parts)


def contained(markup: str) -> str:
    """The words of a fragment as paragraphs: whatever it leaves open stays within."""
    return as_paragraphs(marked(markup).text)


def _part(element: str, names: tuple[str, ...], fields: dict[str, Any]) -> str:
    words = "".join(contained(text(fields.get(name))) for name in names)
    return f"{element}{words}</div>" if words else ""
