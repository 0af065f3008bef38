"""Screening: posts that are no prose of the author's, by shares of words and marks that can be checked by hand.
Knows words. Knows no language, no model and no posts' records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final

from adapters.style.copying import tokens

# Measured on 611 posts by eight authors, two of them programmers who write about code. What is told of each bound is
# the furthest that one of those posts goes. One is left out by all of them together: a list, 98 % of it.
LINKS: Final = 0.2
"""Share of a post's words that are addresses. The most: 0.003."""
CODE: Final = 0.1
"""Share of a post's letters and marks that are signs of code. The most: 0.012."""
LIST: Final = 0.9
"""Share of a post's lines that are entries of a list. The most, that one aside: 0.69."""
LIST_LINES: Final = 10
"""A post of fewer lines is no list."""
FOREIGN: Final = 1 / 3
"""A post is in another language when it has less than this part of the common words that is usual for the author. The
least: 0.77."""
FOREIGN_WORDS: Final = 50
"""A shorter post is not asked for its language."""
USUAL_AT_LEAST: Final = 0.2
"""Where posts usually have fewer common words, they are in many languages, or in one that sets no spaces. In the eight
authors' it is 0.49 to 0.76."""

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_ENTRY = re.compile(r"^\s*(?:[-*•+]|\d+[.)])\s")
_CODE_SIGNS = frozenset("{}[]<>=;|\\_$#@&*+~^`")


def junk(text: str) -> tuple[str, float] | None:
    """`links`, `code` or `list` and the share that decided, or None for prose."""
    words = text.split()
    links = sum(bool(_ADDRESS.search(word)) for word in words) / max(1, len(words))
    if links >= LINKS:
        return "links", links
    written = [letter for letter in _ADDRESS.sub("", text) if not letter.isspace()]
    code = sum(letter in _CODE_SIGNS for letter in written) / max(1, len(written))
    if code >= CODE:
        return "code", code
    lines = [line for line in text.splitlines() if line.strip()]
    entries = sum(bool(_ENTRY.match(line)) for line in lines) / max(1, len(lines))
    if len(lines) >= LIST_LINES and entries >= LIST:
        return "list", entries
    return None


def foreign(texts: Mapping[int, str]) -> dict[int, float]:
    """Key -> share of the common words, for the texts that are in another language than most.

    Common is a word that stands in at least half of the texts. In an author's own language about half of every text is
    such words; in another, hardly any. No language is known here, and none has to be.
    """
    words = {key: [word for word in tokens(text) if word[0].isalpha()] for key, text in texts.items()}
    words = {key: found for key, found in words.items() if len(found) >= FOREIGN_WORDS}
    stands_in = Counter(word for found in words.values() for word in set(found))
    common = {word for word, count in stands_in.items() if count >= max(2, len(words) / 2)}
    shares = {key: _share(found, common) for key, found in words.items()}
    if len(shares) < 3 or median(shares.values()) < USUAL_AT_LEAST:
        return {}
    bound = FOREIGN * median(shares.values())
    return {key: share for key, share in shares.items() if share < bound}


def _share(words: Sequence[str], common: set[str]) -> float:
    return sum(word in common for word in words) / len(words)
