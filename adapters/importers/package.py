"""Documents that are zips of XML (docx, odt, epub): their parts, safe to be given to any XML reader.
Knows what may be hidden in such a part. Knows no vocabulary."""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from adapters.errors import say
from adapters.importers.archive import Archive, is_zip, opened
from adapters.importers.item import File, Unreadable

LARGEST_PART: Final = 16_000_000
"""Bytes of XML: several novels. A reader that builds a tree takes twenty times as much."""
_ENTITY: Final = re.compile(rb"<\0?!\0?E\0?N\0?T\0?I\0?T\0?Y")
_XML: Final = (".xml", ".rels", ".opf", ".ncx", ".xhtml", ".html", ".htm")


def holds(file: File, *names: str) -> bool:
    """Whether it is a zip with a part of one of these names."""
    if not is_zip(file):
        return False
    with opened(file) as archive:
        return any(name in archive for name in names)


def check(archive: Archive) -> None:
    """Look through every part of XML. Raises Unreadable where one is hostile, or too large for a tree in memory."""
    for name in archive.names:
        if name.lower().endswith(_XML):
            part(archive, name)


def part(archive: Archive, name: str) -> bytes:
    """One part. Raises Unreadable."""
    file = archive.get(name)
    if file.size > LARGEST_PART:
        raise Unreadable(say("import.large_document"))
    data = file.read()
    if _ENTITY.search(data):
        raise Unreadable(say("import.xml_entities"))
    return data


def tree(archive: Archive, name: str) -> Any | None:
    """The root element of a part; None where there is no such part or it is no XML."""
    if name not in archive:
        return None
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    data = part(archive, name)
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def said(root: Any | None, path: str) -> str:
    """The words of the first element of that local name."""
    found = None if root is None else next(root.iter(f"{{*}}{path}"), None)
    return "" if found is None else " ".join("".join(found.itertext()).split())
