"""Copying: how much of a text stands word for word in other texts.
Knows words, marks and runs of them. Knows nothing of voices or of how much is too much."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from adapters.style.grams import Hashes, among, grams
from adapters.style.known import Copied, Known

__all__ = ["Copied", "Known", "Run", "Source", "runs", "tokens"]

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
_QUOTES: Final = str.maketrans("‘’“”", "''\"\"")


@dataclass(frozen=True, kw_only=True)
class Run:
    """Tokens in a row that two texts share."""

    tokens: int
    """How many. Words and marks, not the base model's tokens: the figure must not depend on the base model."""
    passage: str
    """As they stand in the measured text."""


class Source:
    """Texts that might have been copied from."""

    def __init__(self, texts: Iterable[str]) -> None:
        found: list[int] = []
        for number, text in enumerate(texts):
            # No run goes over the end of a text: nothing that is measured has this token.
            found += [*_hashed(tokens(text)), _token_hash(f"end of text {number}")]
        self._hashes = np.array(found, dtype=np.uint64)  # (tokens,)
        self._grams: dict[int, Hashes] = {}

    def longest_run(self, text: str) -> Run:
        """The longest run of `text` that is in the source; the first of several."""
        spans = [match.span() for match in _TOKEN.finditer(text)]
        own = np.array(_hashed(tokens(text)), dtype=np.uint64)
        # A copied run holds copied runs of every smaller length: double, then halve.
        low, high = 0, 1
        while high <= len(own) and self._copied(own, high).any():
            low, high = high, 2 * high
        high = min(high, len(own) + 1)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._copied(own, middle).any() else (low, middle)
        if not low:
            return Run(tokens=0, passage="")
        first = int(self._copied(own, low).argmax())
        return Run(tokens=low, passage=text[spans[first][0] : spans[first + low - 1][1]])

    def overlap(self, text: str, size: int) -> float:
        """The share of the text's runs of `size` tokens that are in the source; 0 for a text without any."""
        copied = self._copied(np.array(_hashed(tokens(text)), dtype=np.uint64), size)
        return float(copied.mean()) if len(copied) else 0.0

    def _copied(self, own: Hashes, size: int) -> npt.NDArray[np.bool_]:
        # (runs of that size,)
        if size not in self._grams:
            self._grams[size] = np.unique(grams(self._hashes, size))
        return among(grams(own, size), self._grams[size])


def tokens(text: str) -> list[str]:
    """Words and marks in small letters; curly quotes are straight ones."""
    return [found.translate(_QUOTES) for found in _TOKEN.findall(text.lower())]


def runs(text: str, size: int) -> list[int]:
    """A number for each run of `size` tokens, the same in every process; equal runs have equal ones."""
    found: list[int] = grams(np.array(_hashed(tokens(text)), dtype=np.uint64), size).tolist()
    return found


def _hashed(words: Sequence[str]) -> list[int]:
    return [_token_hash(word) for word in words]


@cache
def _token_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
