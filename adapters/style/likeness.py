"""Likeness: how much two texts have in common, by short signatures that can be kept and compared by the thousand.
MinHash (Broder, 1997) over runs of five words. Knows texts and signatures. Knows nothing of whose they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from datasketch import MinHash, MinHashLSH

from adapters.style.copying import runs

RUN: Final = 5
"""Words and marks of a run."""
NEAR: Final = 0.5
"""Texts that share so many of their runs are one text in two versions."""
SAME_FILE: Final = 0.15
"""Two files of one name that share so much are one post that was worked over."""
_NUMBERS: Final = 64
_SCHEME: Final = "affine32"
"""Signatures are stored: another scheme makes others."""


def signature(text: str) -> bytes:
    """256 bytes, the same in every process; empty for a text that is shorter than a run."""
    found = runs(text, RUN)
    if not found:
        return b""
    made = MinHash(num_perm=_NUMBERS, hashfunc=_folded, scheme=_SCHEME)
    made.update_batch(found)
    return bytes(made.hashvalues.astype("<u4").tobytes())


def share(one: bytes, other: bytes) -> float:
    """About which share of all their runs two texts have in common (Jaccard), give or take 0.06."""
    if not one or not other:
        return 0.0
    return float((_numbers(one) == _numbers(other)).mean())


def near(signatures: Mapping[int, bytes]) -> dict[int, int]:
    """Key of each text that is like an earlier one -> that one's key. Earlier is what comes first; of several that
    are as much alike, the lowest key counts."""
    index = MinHashLSH(threshold=NEAR, num_perm=_NUMBERS)
    found: dict[int, int] = {}
    for key, kept in signatures.items():
        if not kept:
            continue
        made = MinHash(num_perm=_NUMBERS, hashvalues=_numbers(kept), scheme=_SCHEME)
        alike = max(((share(kept, signatures[other]), -other) for other in index.query(made)), default=(0.0, 0))
        if alike[0] >= NEAR:
            found[key] = -alike[1]
        else:
            index.insert(key, made)
    return found


def nearest(kept: bytes, others: Mapping[int, bytes]) -> int | None:
    """The key among `others` of the text that this one is most like, if they are near; of several the lowest."""
    compared = {key: other for key, other in sorted(others.items()) if other}
    if not kept or not compared:
        return None
    rows = np.frombuffer(b"".join(compared.values()), dtype="<u4").reshape(len(compared), _NUMBERS)  # (texts, numbers)
    shares = (rows == np.frombuffer(kept, dtype="<u4")).mean(axis=1)  # (texts,)
    best = int(shares.argmax())
    return list(compared)[best] if shares[best] >= NEAR else None


def _folded(run: int) -> int:
    return run & 0xFFFFFFFF


def _numbers(kept: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.frombuffer(kept, dtype="<u4").astype(np.uint64)
