"""Known: which spans of a text stand word for word in an author's posts, and where.
Knows words and suffixes. Knows nothing of marks or of how long a span has to be to matter."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from adapters.style.grams import Hashes, among, grams

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_STRAIGHT: Final = str.maketrans("‘’", "''")


@dataclass(frozen=True, kw_only=True)
class Copied:
    """Words in a row that stand in a post as well; marks, case and white space may differ."""

    start: int
    """Position of its first character in the measured text."""
    end: int
    """Position after its last one."""
    words: int
    """How many; marks do not count."""
    key: int
    """The post where it stands, the first of several."""
    source_start: int
    """Position of its first character in that post."""
    source_end: int
    """Position after its last one."""


class Known:
    """Posts that a text may repeat, and where. Words are compared themselves, so nothing is found that is not there."""

    def __init__(self, posts: Mapping[int, str]) -> None:
        """Key -> text."""
        self._numbers: dict[str, int] = {}
        self._words: list[int] = []  # of all posts in a row, with a number of its own after each post
        self._places: list[tuple[int, int, int]] = []  # (key, start, end) of each
        for key, text in posts.items():
            for word, start, end in _worded(text):
                self._words.append(self._numbers.setdefault(word, len(self._numbers)))
                self._places.append((key, start, end))
            self._words.append(-2 - len(self._words))
            self._places.append((key, len(text), len(text)))
        self._order = _suffixes(self._words)
        self._grams: dict[int, Hashes] = {}

    def spans(self, text: str, at_least: int = 8) -> list[Copied]:
        """Every span of `at_least` words or more that stands in a post, in the order of the text.

        None can be made longer without reaching into another, and where two would overlap, the longer one is whole.
        """
        found = list(_worded(text))
        own = [self._numbers.get(word, -1) for word, _, _ in found]
        spans = []
        for first, last in sorted(_apart(self._lengths(own, at_least), at_least)):
            source = self._first(own[first:last])
            spans.append(
                Copied(
                    start=found[first][1],
                    end=found[last - 1][2],
                    words=last - first,
                    key=self._places[source][0],
                    source_start=self._places[source][1],
                    source_end=self._places[source + last - first - 1][2],
                )
            )
        return spans

    def _lengths(self, own: list[int], at_least: int) -> npt.NDArray[np.int64]:
        # (words,): how many words from each on stand somewhere in a row; 0 for fewer than asked for
        lengths = np.zeros(len(own), dtype=np.int64)
        if at_least not in self._grams:
            self._grams[at_least] = np.unique(grams(np.array(self._words, dtype=np.int64).view(np.uint64), at_least))
        # Equal hashes may come by chance; they only say where to look.
        likely = among(grams(np.array(own, dtype=np.int64).view(np.uint64), at_least), self._grams[at_least])
        end = 0
        for place in np.flatnonzero(likely).tolist():
            # What begins inside a span and reaches over its end has the run of words just over the end in it.
            over = end + 1 - at_least
            if place < over and not (over < len(likely) and likely[over]):
                lengths[place] = end - place
                continue
            lengths[place] = self._longest(own, place, at_least)
            end = max(end, place + int(lengths[place]))
        return lengths

    def _longest(self, own: list[int], place: int, at_least: int) -> int:
        size = at_least
        while True:
            wanted = own[place : place + size]
            at = bisect_left(self._order, wanted, key=self._beginning(size))
            # What has the longest beginning in common with the wanted words stands next to where these would stand.
            shared = max((self._shared(suffix, wanted) for suffix in self._order[max(0, at - 1) : at + 1]), default=0)
            if shared < size or size > len(own):
                return shared if shared >= at_least else 0
            size *= 4

    def _beginning(self, size: int) -> Callable[[int], list[int]]:
        return lambda suffix: self._words[suffix : suffix + size]

    def _shared(self, suffix: int, wanted: list[int]) -> int:
        there = self._words[suffix : suffix + len(wanted)]
        return next(
            (at for at, (one, other) in enumerate(zip(there, wanted, strict=False)) if one != other), len(there)
        )

    def _first(self, wanted: list[int]) -> int:
        beginning = self._beginning(len(wanted))
        low = bisect_left(self._order, wanted, key=beginning)
        high = bisect_right(self._order, wanted, lo=low, key=beginning)
        return min(self._order[low:high])


def _apart(lengths: npt.NDArray[np.int64], at_least: int) -> Iterator[tuple[int, int]]:
    """Spans that do not overlap, from how far each place reaches: the longest, then the longest of what it leaves."""
    regions = [(0, len(lengths))]
    while regions:
        low, high = regions.pop()
        if high - low < at_least:
            continue
        inside = np.minimum(lengths[low:high], np.arange(high - low, 0, -1))
        first = low + int(inside.argmax())
        size = int(inside.max())
        if size >= at_least:
            yield first, first + size
            regions += [(low, first), (first + size, high)]


def _suffixes(words: Sequence[int]) -> list[int]:
    """Where each suffix begins, sorted by its words: prefix doubling (Manber & Myers, 1993)."""
    if not words:
        return []
    ranks = np.unique(np.array(words, dtype=np.int64), return_inverse=True)[1].astype(np.int64)  # (words,)
    count, size = len(words), 1
    while True:
        after = np.zeros(count, dtype=np.int64)
        after[: max(0, count - size)] = ranks[size:] + 1
        keys = ranks * (count + 1) + after
        order = np.argsort(keys, kind="stable")
        steps = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(keys[order]) != 0)])
        ranks = np.empty(count, dtype=np.int64)
        ranks[order] = steps
        if steps[-1] == count - 1:
            found: list[int] = order.tolist()
            return found
        size *= 2


def _worded(text: str) -> Iterator[tuple[str, int, int]]:
    # Each word is made small by itself: a whole text may change its length by it.
    for match in _WORD.finditer(text):
        yield match.group().lower().translate(_STRAIGHT), match.start(), match.end()
