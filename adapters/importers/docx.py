"""Word documents (.docx), one post each.
Knows Word's styles for what is no prose. Knows nothing of Word's XML (mammoth does)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import mammoth

from adapters.importers import document, package
from adapters.importers.archive import opened
from adapters.importers.dates import day
from adapters.importers.item import File, Item
from adapters.importers.library import guarded

FORMAT: Final = "docx"
LABEL: Final = "Word"

_MAIN: Final = "word/document.xml"
_STYLES: Final = """
p[style-name='Title'] => h1:fresh
p[style-name='Quote'] => blockquote > p:fresh
p[style-name='Intense Quote'] => blockquote > p:fresh
p[style-name='Block Text'] => blockquote > p:fresh
p[style-name='Caption'] => p.caption-text:fresh
p[style-name='HTML Preformatted'] => pre:fresh
p[style-name='Code'] => pre:fresh
p[style-name='TOC Heading'] => p.toc:fresh
p[style-name^='toc '] => p.toc:fresh
"""


def detect(file: File) -> bool:
    return package.holds(file, _MAIN)


def items(file: File) -> Iterator[Item]:
    with opened(file) as archive:
        package.check(archive)
        about = package.tree(archive, "docProps/core.xml")
    with guarded("import.unreadable"):
        # Pictures are never unpacked: mammoth asks for their bytes only through this function.
        made = mammoth.convert_to_html(
            io.BytesIO(file.read()),
            style_map=_STYLES,
            convert_image=lambda image: [],
            external_file_access=False,
        )
        item = document.post(
            made.value,
            name=file.name,
            title=package.said(about, "title"),
            day=day(package.said(about, "created")),
            author=package.said(about, "creator"),
        )
    yield item
