"""From Markdown to the plain text a model reads: words, paragraphs and lists; no links, pictures, HTML or code.
Knows CommonMark's tree. Knows nothing of front matter or files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

# Tables and strikethrough are recognised so that their marks do not stay in the text.
_PARSER: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"])

# What blog programs add to Markdown: their tags, with all of a highlighted listing, and attribute lists. None of the
# patterns can run past a brace, so that a text made of nothing but openings is read in one go as well.
_LISTING = re.compile(r"\{%-?[ \t]*(end)?highlight\b[^{}\n]*%\}")
_TAG = re.compile(r"\{%[^{}\n]*%\}|\{\{[<%][^{}\n]*[%>]\}\}")
_ATTRIBUTES = re.compile(r"^[ \t]*\{:[^}\n]*\}[ \t]*$", re.MULTILINE)
_FOOTNOTE = re.compile(r"^\[\^[^\[\]\s]+\]:\s*|\[\^[^\[\]\s]+\]")
_SPACES = re.compile(r"[ \t]{2,}")
_SPACE_BEFORE_MARK = re.compile(r" +([.,;:!?])(?=\s|$)")
# Tags whose content is no text.
_SILENT = re.compile(r"<(script|style)\b", re.IGNORECASE)


def prose(markdown: str) -> tuple[str, str]:
    """The title, where the first block is a heading of the first level, and the text without it."""
    markdown = _without_listings(markdown)
    for pattern in (_TAG, _ATTRIBUTES):
        markdown = pattern.sub("", markdown)
    blocks = SyntaxTreeNode(_PARSER.parse(markdown)).children
    title = ""
    if blocks and blocks[0].type == "heading" and blocks[0].tag == "h1":
        title = _inline(blocks[0])
        blocks = blocks[1:]
    return title, "\n\n".join(_blocks(blocks))


def _without_listings(markdown: str) -> str:
    kept = []
    start = 0
    inside = False
    for tag in _LISTING.finditer(markdown):
        if not inside:
            kept.append(markdown[start : tag.start()])
        inside = not tag[1]
        start = tag.end()
    # A listing that is never closed reaches to the end of the post.
    return "".join(kept if inside else [*kept, markdown[start:]])


def _blocks(nodes: list[SyntaxTreeNode]) -> Iterator[str]:
    # Listings, raw HTML, rules and tables have no branch of their own: they are left out.
    for node in nodes:
        if node.type in {"paragraph", "heading"}:
            if text := _inline(node):
                yield text
        elif node.type == "blockquote":
            # Marked, because these are most often somebody else's words.
            quoted = "\n\n".join(_blocks(node.children))
            if quoted:
                yield "\n".join(f"> {line}" if line else ">" for line in quoted.split("\n"))
        elif node.type in {"bullet_list", "ordered_list"}:
            yield from _list(node)


def _list(node: SyntaxTreeNode) -> Iterator[str]:
    number = int(node.attrs.get("start", 1))
    lines = []
    for item in node.children:
        mark = "- " if node.type == "bullet_list" else f"{number}. "
        number += 1
        parts = [part.replace("\n", "\n" + " " * len(mark)) for part in _blocks(item.children)]
        if parts:
            lines.append(mark + ("\n" + " " * len(mark)).join(parts))
    # CommonMark calls a list tight when no blank lines part its items; those of a loose one are paragraphs.
    tight = any(part.hidden for item in node.children for part in item.children if part.type == "paragraph")
    if lines and tight:
        yield "\n".join(lines)
    else:
        yield from lines


def _inline(block: SyntaxTreeNode) -> str:
    text = "".join(_words(block.children[0].children)) if block.children else ""
    text = _SPACES.sub(" ", _FOOTNOTE.sub("", text))
    return _SPACE_BEFORE_MARK.sub(r"\1", "\n".join(line.strip() for line in text.split("\n"))).strip()


def _words(nodes: list[SyntaxTreeNode]) -> Iterator[str]:
    silent = ""
    for node in nodes:
        if node.type == "html_inline":
            opened = _SILENT.match(node.content)
            if opened:
                silent = opened[1].lower()
            elif silent and node.content.lower().startswith(f"</{silent}"):
                silent = ""
            elif node.content.lower().startswith("<br"):
                yield "\n"
        elif silent:
            continue
        elif node.type in {"text", "code_inline"}:
            yield node.content
        elif node.type == "softbreak":
            yield " "
        elif node.type == "hardbreak":
            yield "\n"
        elif node.type in {"em", "strong", "s", "link"}:
            inner = "".join(_words(node.children))
            # A footnote's mark whose definition is a bare address becomes a link named `^1`.
            if not (node.type == "link" and inner.startswith("^")):
                yield inner
