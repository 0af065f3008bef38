"""Repeats: paragraphs that stand at the beginning or the end of many posts, word for word: no prose of any of them.
Knows paragraphs and their places. Knows no language: what is repeated gives itself away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from adapters.importers.marked import Cut, Marked

FIRST: Final = 2
LAST: Final = 3
"""So many paragraphs at each end of a post are looked at: a refrain within a text is the author's."""
LEAST_WORDS: Final = 4
LONGEST: Final = 600
"""Characters."""
IN_POSTS: Final = 3
IN_SHARE: Final = 0.03
"""A paragraph is repeated when it stands in so many posts, and in this share of all."""


def common(texts: Iterable[Marked]) -> set[str]:
    """The paragraphs that are repeated, in the form that `repeated` looks for."""
    count = 0
    stands_in: Counter[str] = Counter()
    for marked in texts:
        count += 1
        stands_in.update({key for _, _, key in _edges(marked)})
    return {key for key, posts in stands_in.items() if posts >= max(IN_POSTS, IN_SHARE * count)}


def repeated(marked: Marked, found: Collection[str]) -> Marked:
    """`marked` without those paragraphs."""
    return marked.without(
        Cut(start=start, end=end, rule="repeated") for start, end, key in _edges(marked) if key in found
    )


def _edges(marked: Marked) -> Iterator[tuple[int, int, str]]:
    paragraphs = [(start, text) for start, text, cut in marked.paragraphs() if not cut]
    # Of a short post every paragraph is at an end; one that is all repeated would be left with nothing.
    if len(paragraphs) <= FIRST + LAST:
        paragraphs = paragraphs[-LAST:] if len(paragraphs) > 1 else []
    else:
        paragraphs = paragraphs[:FIRST] + paragraphs[-LAST:]
    for start, text in paragraphs:
        if len(text) <= LONGEST and len(text.split()) >= LEAST_WORDS:
            yield start, start + len(text), " ".join(text.lower().split())
