"""From Markdown to marked text, by way of HTML: one way for words to be told from what is no prose.
Knows CommonMark and what blog programs add to it. Knows nothing of front matter or files."""

from __future__ import annotations

import html
import re
from typing import Final

from markdown_it import MarkdownIt
from mdit_py_plugins.footnote import footnote_plugin

from adapters.importers.hypertext import Element, marked_element, parse
from adapters.importers.marked import Marked

_PARSER: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(footnote_plugin)

# Liquid's and Hugo's tags, with all of a highlighted listing, and kramdown's attribute lists. None of the patterns can
# run past a brace, so that a text made of nothing but openings is read in one go as well.
_LISTING = re.compile(r"\{%-?[ \t]*(end)?highlight\b[^{}\n]*%\}")
_TAG = re.compile(r"\{%[^{}\n]*%\}|\{\{[<%][^{}\n]*[%>]\}\}")
_ATTRIBUTES = re.compile(r"^[ \t]*\{:[^}\n]*\}[ \t]*$", re.MULTILINE)


def prose(markdown: str) -> tuple[str, Marked]:
    """The title, where the first block is a heading of the first level, and the text without it."""
    root = parse(as_html(markdown))
    if root is None:
        return "", Marked()
    return _take_title(root), marked_element(root)


def body(markdown: str) -> Marked:
    """The text with all of its headings."""
    root = parse(as_html(markdown))
    return Marked() if root is None else marked_element(root)


def as_html(markdown: str) -> str:
    """What a browser would get, but with the commands of blog programs told by their class."""
    return str(_PARSER.render(_ATTRIBUTES.sub("", _TAG.sub(_as_shortcode, _with_listings(markdown)))))


def _take_title(root: Element) -> str:
    body = root.find("body")
    first = body[0] if body is not None and len(body) and not (body.text or "").strip() else None
    if first is None or first.tag != "h1":
        return ""
    title = " ".join(str(first.text_content()).split())
    first.clear(keep_tail=True)
    return title


def _with_listings(markdown: str) -> str:
    """Highlighted listings as HTML has them."""
    kept: list[str] = []
    start = 0
    inside = False
    for tag in _LISTING.finditer(markdown):
        closes = bool(tag[1])
        if closes == inside:
            kept.append(_as_code(markdown[start : tag.start()]) if inside else markdown[start : tag.start()])
            start, inside = tag.end(), not inside
    # A listing that is never closed reaches to the end of the post.
    kept.append(_as_code(markdown[start:]) if inside else markdown[start:])
    return "".join(kept)


def _as_code(listing: str) -> str:
    return f"\n\n<pre>{html.escape(listing)}</pre>\n\n"


def _as_shortcode(tag: re.Match[str]) -> str:
    return f'<span class="shortcode">{html.escape(tag[0])}</span>'
