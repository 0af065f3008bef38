"""Pages: which parts of the key/value cache are free, and which sequence holds which.
Knows page numbers. Knows nothing of tensors or of when a sequence runs."""

from __future__ import annotations

import numpy as np

PAGE = 16
"""Tokens in a page."""


def pages_for(tokens: int) -> int:
    """Pages that hold so many tokens."""
    return -(-tokens // PAGE)


class Pages:
    """Pages 1 to `count`. Page 0 is nobody's: rows that only fill up a batch write there.

    A sequence grows into the page behind its last one where that is free, and a new one starts in the middle of the
    longest free run. Most sequences therefore are one run, which the CPU reads without copying.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.free = count
        self._is_free = np.ones(count + 2, dtype=bool)
        self._is_free[[0, count + 1]] = False  # fences on both sides

    def take(self, held: list[int], tokens: int) -> bool:
        """Grow `held` until it has room for `tokens`; False, and nothing changed, when too few are free."""
        missing = pages_for(tokens) - len(held)
        if missing > self.free:
            return False
        for _ in range(missing):
            page = held[-1] + 1 if held and self._is_free[held[-1] + 1] else self._start()
            self._is_free[page] = False
            self.free -= 1
            held.append(page)
        return True

    def give_back(self, held: list[int]) -> None:
        """All of them; `held` is empty afterwards."""
        self._is_free[held] = True
        self.free += len(held)
        held.clear()

    def _start(self) -> int:
        edges = np.flatnonzero(self._is_free[1:] != self._is_free[:-1]) + 1
        begins, ends = edges[::2], edges[1::2]
        longest = int((ends - begins).argmax())
        return int(begins[longest] + ends[longest]) // 2
