"""Sources: where a text can come from, in words for its author.
Knows names. Knows nothing of how any of them is read (each importer knows its own)."""

from __future__ import annotations

from typing import Final

LABELS: Final[dict[str, str]] = {
    "paste": "Pasted",
    "upload": "Uploaded",
    "wordpress": "WordPress",
    "ghost": "Ghost",
    "medium": "Medium",
    "substack": "Substack",
    "blogger": "Blogger",
    "beehiiv": "beehiiv",
    "buttondown": "Buttondown",
    "squarespace": "Squarespace",
    "wix": "Wix",
    "folder": "Folder of texts",
    "feed": "Feed",
    "mail": "Mail",
    "epub": "EPUB",
}
LOOSE: Final = frozenset({"text", "markdown", "html", "docx", "odt", "pdf", "rtf", "epub"})
"""Formats of single files: their names are no ids, so that two of one name may be two posts."""


def label(source: str) -> str:
    """For people."""
    return LABELS.get(source, source)
