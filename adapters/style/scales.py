"""Scales: how far an author's own pieces of some length lie from the author's usual, each measured without its post.
Knows held-out pieces. Knows nothing of texts that are compared with them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from adapters.style.background import Background
from adapters.style.tally import Floats, Tally
from adapters.style.traits import TRAITS, Habits, habits, held_out_oddness, traits
from adapters.style.usual import Usual, used

LENGTHS: Final = (25, 50, 100, 200, 400, 800, 1600)
"""Words. A short piece strays farther than a long one."""
PIECES_AT_LEAST: Final = 20
PIECES_AT_MOST: Final = 400
FOLDS: Final = 10
ODDNESS: Final = 0.35
"""What a standard deviation of oddness counts against one of nearness. Nearness alone takes somebody for the author who
leans the same way from everybody else, and farther; much oddness blurs who is near."""
_STEPS: Final = 100


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An author's own pieces of about one length."""

    words: int
    """About how many a piece has."""
    pieces: int
    """How many were measured."""
    near: tuple[float, float]
    """Mean and standard deviation of their nearness a word."""
    odd: tuple[float, float]
    """Mean and standard deviation of their oddness."""
    habits: Habits
    """What is usual of their traits."""
    distances: tuple[float, ...]
    """Their distances at every hundredth of the pieces, from the nearest to the farthest."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        kept = {name: list(getattr(self, name)) for name in ("near", "odd", "distances")}
        return {"words": self.words, "pieces": self.pieces, "habits": self.habits.as_dict(), **kept}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Scale:
        """The inverse."""
        (near, near_spread), (odd, odd_spread) = kept["near"], kept["odd"]
        return cls(
            words=kept["words"],
            pieces=kept["pieces"],
            near=(near, near_spread),
            odd=(odd, odd_spread),
            habits=Habits.from_dict(kept["habits"]),
            distances=tuple(kept["distances"]),
        )

    def distance(self, near: float, found: Floats) -> float:
        """Of a piece with that nearness a word and (TRAITS,), in standard deviations of the author's own."""
        odd = self.habits.oddness(found[None])
        return float(_distance(np.array([near]), odd, self.near, self.odd)[0])

    def farther(self, distance: float) -> float:
        """Percent of the author's own pieces that are at least so far."""
        return 100 - float(np.interp(distance, self.distances, np.linspace(0, 100, _STEPS + 1)))


def measured(texts: Sequence[Tally], back: Background, lengths: Sequence[int] = LENGTHS) -> tuple[Scale, ...]:
    """Scales for every length of which there are enough pieces; each piece is compared with the other folds' texts."""
    folds = min(FOLDS, len(texts))
    if folds < 2:
        return ()
    every = used(texts, len(back.words))
    near: list[tuple[int, Tally, Floats]] = []
    for fold in range(folds):
        mine = list(texts)[fold::folds]
        usual = Usual(every.less(used(mine, len(back.words))), back)
        near += [(fold, text, usual.nearness(text)) for text in mine]
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


def apart(scales: Sequence[Scale], words: int, near: float, found: Floats) -> tuple[float, float]:
    """Distance of a piece, and percent of the author's own pieces of its length that are at least so far."""
    distance = percent = 0.0
    for scale, part in blend(scales, words):
        here = scale.distance(near, found)
        distance, percent = distance + part * here, percent + part * scale.farther(here)
    return distance, percent


def bounds(name: str, words: int, scales: Sequence[Scale]) -> tuple[float, float]:
    """What is usual of a trait at a length; everything, where nothing is known of it."""
    trait = TRAITS.index(name)
    low = high = 0.0
    for scale, part in blend(scales, words):
        least, most = scale.habits.low[trait], scale.habits.high[trait]
        if least is None or most is None:
            return -math.inf, math.inf
        low, high = low + part * least, high + part * most
    return low, high


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


def _scale(length: int, near: Sequence[tuple[int, Tally, Floats]]) -> Scale | None:
    pieces = [(fold, text, each, run) for fold, text, each in near for run in runs(text.words, length)]
    if len(pieces) < PIECES_AT_LEAST:
        return None
    step = max(1.0, len(pieces) / PIECES_AT_MOST)
    pieces = [pieces[int(place * step)] for place in range(int(len(pieces) / step))]
    counts = np.array([text.counts[first:last].sum(axis=0) for _, text, _, (first, last) in pieces])
    nearness = np.array([each[first:last].sum() for _, _, each, (first, last) in pieces]) / counts[:, 0]
    found = traits(counts)
    oddness = held_out_oddness(found, np.array([fold for fold, _, _, _ in pieces], dtype=np.int64))
    nears, odds = _moments(nearness), _moments(oddness)
    distances = _distance(nearness, oddness, nears, odds)
    return Scale(
        words=length,
        pieces=len(pieces),
        near=nears,
        odd=odds,
        habits=habits(found),
        distances=tuple(np.quantile(distances, np.linspace(0, 1, _STEPS + 1)).round(3).tolist()),
    )


def _moments(values: Floats) -> tuple[float, float]:
    return round(float(values.mean()), 5), round(max(1e-4, float(values.std())), 5)


def _distance(near: Floats, odd: Floats, nears: tuple[float, float], odds: tuple[float, float]) -> Floats:
    distance: Floats = (nears[0] - near) / nears[1] + ODDNESS * (odd - odds[0]) / odds[1]
    return distance
