"""Duplicates: posts that say again what older posts have said, word for word or nearly so.
Knows runs of words. Knows nothing of posts' records, models or windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from adapters.style.copying import runs

RUN: Final = 13
"""Words and marks. Of short runs, somebody who likes to build sentences alike repeats half in every text."""
SAME: Final = 0.5
"""A post of which so large a share of runs stands in older posts is a near duplicate. Of 611 posts by eight authors,
the nearest that is none has 0.10."""
RUNS_AT_LEAST: Final = 20
"""Of a shorter post the share says nothing; only an equal one is its duplicate."""


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """A text that repeats older ones."""

    older: int
    """Place of the text that has most of it."""
    likeness: float
    """Share of its runs that stand in older texts; 1 for the same words."""
    exact: bool
    """The same words in the same order."""


def repeats(texts: Sequence[str]) -> list[Repeats | None]:
    """For each text, oldest first, whether it repeats older ones that do not repeat others themselves.

    A text may repeat several: a collection of old posts is one, too. Every run is compared, none is sampled, so the
    answer is exact and the same each time.
    """
    found: list[Repeats | None] = []
    same: dict[str, int] = {}
    first: dict[int, int] = {}  # run -> place of the oldest kept text that has it
    for place, text in enumerate(texts):
        mark = " ".join(text.split())
        own = set(runs(text, RUN))
        seen = Counter(first[run] for run in own if run in first)
        likeness = seen.total() / len(own) if own else 0.0
        if mark in same:
            found.append(Repeats(older=same[mark], likeness=1.0, exact=True))
        elif len(own) >= RUNS_AT_LEAST and likeness >= SAME:
            older = max(seen, key=lambda key: (seen[key], -key))
            found.append(Repeats(older=older, likeness=likeness, exact=False))
        else:
            found.append(None)
            same[mark] = place
            for run in own:
                first.setdefault(run, place)
    return found
