"""Sources: where a text can come from, in words for its author.
Knows names. Knows nothing of how any of them is read."""

from __future__ import annotations

from typing import Final

from adapters.importers import FORMATS

_LABELS: Final[dict[str, str]] = {
    "paste": "Pasted",
    "upload": "Uploaded",
    **{importer.FORMAT: importer.LABEL for importer in FORMATS},
}
LOOSE: Final = frozenset({"text", "markdown", "webpage", "docx", "odt", "pdf", "rtf"})
"""Formats of single files, all of one source: an upload."""
BY_NAME: Final = frozenset({"upload", "folder"})
"""Sources whose posts have file names for ids: two of one name may be two posts."""


def label(source: str) -> str:
    """For people."""
    return _LABELS.get(source, source)


HELD: Final[dict[str, tuple[str, str]]] = {
    "draft": ("Drafts", "They were not published where they come from."),
    "scheduled": ("Scheduled posts", "They were not published yet when the export was made."),
    "private": ("Private posts", "Only you could read them where they come from."),
    "password": ("Posts behind a password", "They were not open to everybody."),
    "page": ("Pages", "An “About” page is seldom written the way that posts are."),
    "reply": ("Replies and comments", "They answer somebody, and are often short."),
    "podcast": ("Podcast episodes", "Their texts are show notes or transcripts."),
    "excerpt": ("Excerpts", "Only the beginning of the post is in the file."),
    "other_author": ("Posts by others", "The file names somebody else as their author."),
}
"""Why posts are not taken until their author ticks them in: a heading and a sentence, in the order of the page."""
