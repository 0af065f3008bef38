"""Scales: how far an author's own pieces of some length lie from the author's usual, and what they have of everything.
Knows held-out pieces. Knows nothing of texts that are compared with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from adapters.style.background import Background
from adapters.style.tally import COUNTED, Floats, Tally
from adapters.style.usual import Usual, used

LENGTHS: Final = (25, 50, 100, 200, 400, 800, 1600)
"""Words. A short piece strays farther than a long one."""
PIECES_AT_LEAST: Final = 20
PIECES_AT_MOST: Final = 400
FOLDS: Final = 10
_STEPS: Final = 100

Rates = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An author's own pieces of about one length, each measured without its own post."""

    words: int
    """About how many a piece has."""
    pieces: int
    """How many were measured."""
    distances: tuple[float, ...]
    """Their distances at every hundredth of the pieces, from the nearest to the farthest."""
    usual: dict[str, tuple[float, float]]
    """Trait -> what one piece in twenty is below, and one in twenty is above."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **vars(self),
            "distances": list(self.distances),
            "usual": {name: list(bounds) for name, bounds in self.usual.items()},
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Scale:
        """The inverse."""
        return cls(
            **{
                **kept,
                "distances": tuple(kept["distances"]),
                "usual": {name: (low, high) for name, (low, high) in kept["usual"].items()},
            }
        )

    def farther(self, distance: float) -> float:
        """Percent of the pieces that are at least so far."""
        return 100 - float(np.interp(distance, self.distances, np.linspace(0, 100, _STEPS + 1)))


def traits(counts: Floats) -> dict[str, float]:
    """What a piece has of everything that can be told, from its `COUNTED` sums; what it has no place for is missing."""
    of = dict(zip(COUNTED, counts.tolist(), strict=True))
    found = {name: of[name] / of["words"] for name in COUNTED if name not in _NO_RATES} if of["words"] else {}
    if of["sentences"]:
        found["sentence words"] = of["words"] / of["sentences"]
    if of["words"]:
        found["word letters"] = of["letters"] / of["words"]
    if of["contractible"] >= 3:
        found["contractions"] = of["contracted"] / of["contractible"]
    return found


_NO_RATES: Final = ("words", "sentences", "letters", "contracted", "contractible")


def measured(texts: Sequence[Tally], back: Background, lengths: Sequence[int] = LENGTHS) -> tuple[Scale, ...]:
    """Scales for every length of which there are enough pieces; each piece is compared with the other folds' texts."""
    folds = min(FOLDS, len(texts))
    if folds < 2:
        return ()
    every = used(texts, len(back.words))
    near: list[tuple[Tally, Floats]] = []
    for fold in range(folds):
        mine = list(texts)[fold::folds]
        usual = Usual(every.less(used(mine, len(back.words))), back)
        near += [(text, usual.nearness(text)) for text in mine]
    found = [_scale(length, near) for length in lengths]
    return tuple(scale for scale in found if scale)


def blend(scales: Sequence[Scale], words: int) -> Iterator[tuple[Scale, float]]:
    """The scales next to a length and their parts, which make 1; none where there are no scales."""
    below = [scale for scale in scales if scale.words <= words]
    above = [scale for scale in scales if scale.words > words]
    if not below or not above:
        yield from ((scale, 1.0) for scale in (below[-1:] or above[:1]))
        return
    low, high = below[-1], above[0]
    part = math.log(words / low.words) / math.log(high.words / low.words)
    yield low, 1 - part
    yield high, part


def runs(words: Floats, length: int) -> Iterator[tuple[int, int]]:
    """Runs of whole sentences with about `length` words, one after another: three quarters to three halves of it."""
    first, have = 0, 0.0
    for place, more in enumerate(words.tolist()):
        if have and have + more > 1.5 * length:
            first, have = place, 0.0
        have += more
        if 0.75 * length <= have <= 1.5 * length and (have >= length or place + 1 == len(words)):
            yield first, place + 1
            first, have = place + 1, 0.0


def _scale(length: int, near: Sequence[tuple[Tally, Floats]]) -> Scale | None:
    pieces = [(text, each, run) for text, each in near for run in runs(text.words, length)]
    if len(pieces) < PIECES_AT_LEAST:
        return None
    step = max(1.0, len(pieces) / PIECES_AT_MOST)
    pieces = [pieces[int(place * step)] for place in range(int(len(pieces) / step))]
    distances, found = [], []
    for text, each, (first, last) in pieces:
        counts = text.counts[first:last].sum(axis=0)
        distances.append(-each[first:last].sum() / counts[0])
        found.append(traits(counts))
    return Scale(
        words=length,
        pieces=len(pieces),
        distances=tuple(np.quantile(distances, np.linspace(0, 1, _STEPS + 1)).round(4).tolist()),
        usual={name: _bounds([each[name] for each in found if name in each]) for name in _names(found)},
    )


def _names(found: Sequence[Mapping[str, float]]) -> list[str]:
    # Told only where at least every fourth piece has it: contractions may have no place in short ones.
    names = dict.fromkeys(name for each in found for name in each)
    return [name for name in names if sum(name in each for each in found) * 4 >= len(found)]


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.05, 0.95)).round(5).tolist()
    return low, high
