"""Files that no importer knows: what they seem to be, and what their author can do.
Knows endings and first bytes. Knows nothing of what can be read."""

from __future__ import annotations

from typing import Final

from adapters.errors import say
from adapters.importers.item import File

_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ARCHIVES: Final = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
_TAR: Final = (257, b"ustar")
_BY_CONTENT: Final = frozenset({".docx", ".odt", ".epub", ".pdf", ".rtf", ".zip", ".rss", ".atom"})
"""Endings of formats that their importers know by their first bytes: whatever comes here is none of them."""


def unknown(file: File) -> str:
    """Why such a file is left out, as a sentence."""
    if not file.size:
        return say("import.empty")
    if file.head.startswith(_OLD_OFFICE):
        # Newer Office puts a locked document into the old container.
        return say("import.encrypted_document" if file.suffix == ".docx" else "import.old_word")
    place, mark = _TAR
    if file.head.startswith(_ARCHIVES) or file.head[place:].startswith(mark):
        return say("import.other_archive")
    if file.suffix in _BY_CONTENT:
        return say("import.wrong_ending", ending=file.suffix)
    return say("import.unknown_format")
