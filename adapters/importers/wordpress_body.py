"""The body of a WordPress post, in block or classic markup, as HTML that stands by itself.
Knows what WordPress does to a body before it shows it. Knows nothing of exports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from adapters.importers.shortcodes import without_shortcodes

_BLOCK: Final = re.compile(r"<!--\s+/?wp:")
_PARTS: Final = re.compile(r"\s*(?:more\b|nextpage\b|noteaser\b)")
_ELEMENT: Final = re.compile(r"(</?([a-zA-Z][a-zA-Z0-9]*)[^<>]*>)")
_BLANK_LINE: Final = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_AS_IT_IS: Final = frozenset({"p", "pre", "script", "style", "textarea"})
"""Elements whose line breaks mean what they mean in HTML."""
_BLOCKS: Final = frozenset(
    """
    address article aside blockquote center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5
    h6 header hr li main nav ol p pre section summary table tbody td tfoot th thead tr ul
    """.split()  # noqa: SIM905
)


def body(content: str) -> str:
    """`content:encoded` as a browser would get it, but with shortcodes told by their classes."""
    content = content.replace("\r\n", "\n").replace("\r", "\n")
    in_blocks = bool(_BLOCK.search(content))
    content = without_shortcodes("".join(_without_comments(content)))
    return content if in_blocks else "".join(_with_breaks(content))


def _without_comments(content: str) -> Iterator[str]:
    """Where a post is cut in two is the end of a paragraph; all other comments are nothing."""
    start = 0
    while (begin := content.find("<!--", start)) >= 0:
        end = content.find("-->", begin + 4)
        if end < 0:
            break
        yield content[start:begin]
        if _PARTS.match(content, begin + 4):
            yield "\n\n"
        start = end + 3
    yield content[start:]


def _with_breaks(content: str) -> Iterator[str]:
    """Classic markup: outside of paragraphs that are marked as such, line breaks count."""
    inside = ""  # the element whose line breaks do not count
    after_block = True
    pieces = _ELEMENT.split(content)  # text, then again and again: tag, its name, text
    for place in range(0, len(pieces), 3):
        text = pieces[place]
        tag, name = (pieces[place + 1], pieces[place + 2].lower()) if place + 1 < len(pieces) else ("", "")
        block = name in _BLOCKS or not name
        if inside:
            yield text
        else:
            # Beside a block a line break is but the layout of the markup.
            text = text.lstrip() if after_block else text
            yield _breaks(text.rstrip() if block else text)
        yield tag
        if name in _AS_IT_IS and not inside and not tag.startswith("</"):
            inside = name
        elif name == inside and tag.startswith("</"):
            inside = ""
        elif inside == "p" and block and name != "p":
            inside = ""  # a block ends a paragraph that was never closed
        after_block = block or name == "br"


def _breaks(text: str) -> str:
    return _BLANK_LINE.sub("<br><br>", text).replace("\n", "<br>")
