"""OpenDocument texts (.odt), one post each.
Knows OpenDocument's elements and LibreOffice's names of styles. Knows nothing of other kinds of OpenDocument."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, Final

from adapters.errors import say
from adapters.importers import document, package
from adapters.importers.archive import opened
from adapters.importers.dates import day
from adapters.importers.item import File, Item, Unreadable
from adapters.importers.library import guarded
from adapters.importers.safe_xml import local_name

FORMAT: Final = "odt"
LABEL: Final = "OpenDocument"

_TEXT: Final = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE: Final = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_SILENT: Final = frozenset({"annotation", "annotation-end", "tracked-changes", "sequence-decls", "forms", "scripts"})
"""Remarks, what was deleted, and declarations: none of it is in the text that its writer sees."""
_INDEXES: Final = frozenset({"table-of-content", "alphabetical-index", "illustration-index", "bibliography"})
_DEEPEST: Final = 200
_MOST_SPACES: Final = 100


def detect(file: File) -> bool:
    if not package.holds(file, "content.xml"):
        return False
    with opened(file) as archive:
        return "mimetype" in archive and archive.get("mimetype").read().startswith(
            b"application/vnd.oasis.opendocument.text"
        )


def items(file: File) -> Iterator[Item]:
    with opened(file) as archive:
        if "META-INF/manifest.xml" in archive and b"encryption-data" in archive.get("META-INF/manifest.xml").read():
            raise Unreadable(say("import.encrypted_document"))
        content = package.tree(archive, "content.xml")
        about = package.tree(archive, "meta.xml")
    body = None if content is None else next(content.iter("{*}text"), None)
    if body is None:
        raise Unreadable(say("import.unreadable"))
    with guarded("import.unreadable"):
        item = document.post(
            _Html(content).whole(body),
            name=file.name,
            title=package.said(about, "title"),
            day=day(package.said(about, "creation-date") or package.said(about, "date")),
            author=package.said(about, "initial-creator") or package.said(about, "creator"),
        )
    yield item


class _Html:
    """Writes HTML of OpenDocument's elements."""

    def __init__(self, content: Any) -> None:
        # The styles in a document's text are made ones; what they are made of has a name that says something.
        self._parents = {
            style.get(f"{_STYLE}name"): style.get(f"{_STYLE}parent-style-name", "")
            for style in content.iter(f"{_STYLE}style")
        }
        self._notes: list[str] = []

    def whole(self, body: Any) -> str:
        text = self._inside(body, _DEEPEST)
        return text + (f"<ol>{''.join(f'<li>{note}</li>' for note in self._notes)}</ol>" if self._notes else "")

    def _inside(self, element: Any, depth: int) -> str:
        if depth < 0:
            return ""
        parts = [html.escape(element.text or "", quote=False)]
        for child in element:
            if isinstance(child.tag, str):
                parts.append(self._element(child, depth - 1))
            parts.append(html.escape(child.tail or "", quote=False))
        return "".join(parts)

    def _element(self, element: Any, depth: int) -> str:
        name = local_name(element)
        match name:
            case _ if name in _SILENT:
                return ""
            case "p" | "h":
                return self._paragraph(element, name, depth)
            case "s":
                count = element.get(f"{_TEXT}c", "1")
                return " " * min(int(count) if count.isdigit() and len(count) < 5 else 1, _MOST_SPACES)
            case "tab":
                return " "
            case "line-break":
                return "<br>"
            case "note":
                return self._note(element, depth)
            case "list" | "list-item" | "list-header":
                tag = "ul" if name == "list" else "li"
                return f"<{tag}>{self._inside(element, depth)}</{tag}>"
            case "table":
                return f"<table>{self._inside(element, depth)}</table>"
            case "table-row":
                return f"<tr>{self._inside(element, depth)}</tr>"
            case "table-cell":
                return f"<td>{self._inside(element, depth)}</td>"
            case "text-box":
                return f'<div class="caption-text">{self._inside(element, depth)}</div>'
            case _ if name in _INDEXES:
                return f'<div class="toc">{self._inside(element, depth)}</div>'
        return self._inside(element, depth)

    def _paragraph(self, element: Any, name: str, depth: int) -> str:
        style = self._style(element)
        text = self._inside(element, depth)
        if name == "h" or style in {"title", "subtitle"}:
            level = 1 if style == "title" or element.get(f"{_TEXT}outline-level") == "1" else 2
            return f"<h{level}>{text}</h{level}>"
        if style in {"quotations", "quotation", "block quote"}:
            return f"<blockquote><p>{text}</p></blockquote>"
        if style in {"preformatted text", "source code"}:
            return f"<pre>{text}</pre>"
        if style in {"caption", "illustration", "figure", "drawing"}:
            return f'<p class="caption-text">{text}</p>'
        return f"<p>{text}</p>"

    def _note(self, element: Any, depth: int) -> str:
        body = next(element.iter(f"{_TEXT}note-body"), None)
        if body is not None:
            self._notes.append(self._inside(body, depth))
        return f'<sup class="footnote">{len(self._notes)}</sup>'

    def _style(self, element: Any) -> str:
        name = str(element.get(f"{_TEXT}style-name", ""))
        return (self._parents.get(name) or name).replace("_20_", " ").lower()
