"""Passages: pieces of equal length, so that texts can be compared. A judge hears more in a longer text.
Knows words. Knows nothing of judges or voices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

WORDS: Final = 300
"""What a judge needs: of 50 words, only the clearest styles can be told."""
_WORD = re.compile(r"\S+")


def passages(text: str, words: int = WORDS) -> Iterator[str]:
    """The text in pieces of exactly `words` words, one after another; what remains at the end is left out."""
    spans = [match.span() for match in _WORD.finditer(text)]
    for start in range(0, len(spans) - words + 1, words):
        yield text[spans[start][0] : spans[start + words - 1][1]]


def beginning(text: str, words: int = WORDS) -> str:
    """The first `words` words, or all of a shorter text."""
    return next(passages(text, words), text)
