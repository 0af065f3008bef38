"""Grams: a number for every run of so many words, fast.
Knows arrays of numbers. Knows nothing of words or texts."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

# A run's hash is its words' numbers times growing powers of this, modulo 2^64; it is odd, so it has an inverse.
_BASE: Final = 0x9E3779B97F4A7C15
_INVERSE: Final = pow(_BASE, -1, 2**64)

Hashes = npt.NDArray[np.uint64]


def grams(hashes: Hashes, size: int) -> Hashes:
    """(runs,): equal runs of `size` have equal hashes, and different ones hardly ever."""
    count = len(hashes) - size + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(hashes * _powers(_BASE, len(hashes)), dtype=np.uint64)])
    found: Hashes = (sums[size:] - sums[:-size]) * _powers(_INVERSE, count)
    return found


def among(asked: Hashes, known: Hashes) -> npt.NDArray[np.bool_]:
    """(asked,): which of them are known; `known` is sorted."""
    if not len(known):
        return np.zeros(len(asked), dtype=np.bool_)
    same: npt.NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, asked), len(known) - 1)] == asked
    return same


def _powers(base: int, count: int) -> Hashes:
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    powers: Hashes = np.cumprod(factors, dtype=np.uint64)  # modulo 2^64 by itself
    return powers
