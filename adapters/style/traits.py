"""Traits: what a piece of text has of everything that can be told, and how odd that is for an author.
Knows sums of tallies. Knows nothing of words' nearness or of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from adapters.style.tally import COUNTED, Floats

_WHOLES: Final = ("words", "sentences", "letters", "contracted", "contractible")
RATES: Final = tuple(name for name in COUNTED if name not in _WHOLES)
"""Counted per word."""
TRAITS: Final = (*RATES, "sentence words", "word letters", "contractions")
"""Those, words a sentence, letters a word, and the part of what can be contracted that is."""
CONTRACTIBLE_AT_LEAST: Final = 3
_CLIP: Final = 3.0
_LEAST_SPREAD: Final = 0.02
"""A mark that an author never set has no spread; a few in a thousand words are odd then, and not infinitely so."""
_COLUMN: Final = {name: place for place, name in enumerate(COUNTED)}
_RATE_COLUMNS: Final = [_COLUMN[name] for name in RATES]
_SENTENCE_WORDS: Final = TRAITS.index("sentence words")


def traits(counts: Floats) -> Floats:
    """(pieces, COUNTED) sums -> (pieces, TRAITS); NaN where a piece has no place for a trait. Pieces have words."""
    of = {name: counts[:, place] for name, place in _COLUMN.items()}
    enough = of["contractible"] >= CONTRACTIBLE_AT_LEAST
    contractions = np.where(enough, of["contracted"] / np.maximum(1, of["contractible"]), np.nan)
    found: Floats = np.column_stack(
        [
            counts[:, _RATE_COLUMNS] / of["words"][:, None],
            of["words"] / of["sentences"],
            of["letters"] / of["words"],
            contractions,
        ]
    )
    return found


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What is usual of every trait in an author's pieces of one length."""

    mean: tuple[float, ...]
    """(TRAITS,); of rates, the mean of the square roots; of words a sentence, of the logarithms."""
    spread: tuple[float, ...]
    """(TRAITS,) standard deviations of the same."""
    low: tuple[float | None, ...]
    """(TRAITS,) one piece in twenty has less; None where too few pieces have a place for it."""
    high: tuple[float | None, ...]
    """(TRAITS,) one in twenty has more."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: list(value) for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Habits:
        """The inverse."""
        return cls(**{name: tuple(value) for name, value in kept.items()})

    def oddness(self, found: Floats) -> Floats:
        """(pieces, TRAITS) -> (pieces,) mean square of standard scores, none of which counts as more than three."""
        return _oddness(found, np.array(self.mean), np.array(self.spread))


def habits(found: Floats) -> Habits:
    """What is usual in (pieces, TRAITS)."""
    mean, spread = _moments(found)
    told = np.isfinite(found).sum(axis=0) * 4 >= len(found)
    low, high = (
        [
            round(float(np.nanquantile(found[:, trait], share)), 5) if told[trait] else None
            for trait in range(len(TRAITS))
        ]
        for share in (0.05, 0.95)
    )
    return Habits(
        mean=tuple(mean.round(5).tolist()), spread=tuple(spread.round(5).tolist()), low=tuple(low), high=tuple(high)
    )


def held_out_oddness(found: Floats, folds: np.ndarray[Any, np.dtype[np.int64]]) -> Floats:
    """(pieces,) how odd each is among the pieces of the other folds."""
    odd = np.zeros(len(found))
    for fold in np.unique(folds):
        mine = folds == fold
        others = found[~mine] if not mine.all() else found
        odd[mine] = _oddness(found[mine], *_moments(others))
    return odd


def _oddness(found: Floats, mean: Floats, spread: Floats) -> Floats:
    scores = np.abs(_even(found) - mean) / spread
    odd: Floats = (np.minimum(np.nan_to_num(scores, nan=1.0), _CLIP) ** 2).mean(axis=1)
    return odd


def _moments(found: Floats) -> tuple[Floats, Floats]:
    even = _even(found)
    have = np.maximum(1, np.isfinite(even).sum(axis=0))
    mean = np.nansum(even, axis=0) / have
    spread = np.sqrt(np.nansum((even - mean) ** 2, axis=0) / have)
    return mean, np.maximum(spread, _LEAST_SPREAD)


def _even(found: Floats) -> Floats:
    # Counts spread as their square roots do; and from 10 words a sentence to 20 is as far as from 20 to 40.
    even = found.copy()
    even[:, : len(RATES)] = np.sqrt(even[:, : len(RATES)])
    even[:, _SENTENCE_WORDS] = np.log(even[:, _SENTENCE_WORDS])
    return even
