"""Meter: how much a text is. Knows words. Knows nothing of voices or of what is enough."""

from __future__ import annotations


def words(text: str) -> int:
    """What is parted by white space; a list's mark or a dash on its own is no word."""
    return sum(any(letter.isalnum() for letter in part) for part in text.split())
