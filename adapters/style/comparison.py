"""Comparison: how two profiles differ, beyond what chance does.
Knows profiles. Knows nothing of posts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from scipy.special import stdtr

from adapters.style.described import Measured, Profile
from adapters.style.measures import BY_KEY
from adapters.style.plainly import figure

CHANCE: Final = 0.05
"""How likely it is that anything at all is told of two profiles that do not differ; parted among the measures."""
PIECES_AT_LEAST: Final = 3
"""Posts or passages on either side; of fewer, no spread can be told."""
_NAMES: Final = ("the first", "the second")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A measure in which two profiles differ."""

    key: str
    """The measure's name for programs."""
    name: str
    """And for people."""
    unit: str
    """What both values count."""
    one: float
    """In the first profile."""
    other: float
    """In the second."""
    effect: float
    """Difference of the posts' means in their standard deviations (Cohen's d); positive where the second is greater."""
    sentence: str
    """A plain sentence."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Difference:
        """The inverse."""
        return cls(**kept)


def compare(one: Profile, other: Profile, names: tuple[str, str] = _NAMES) -> tuple[Difference, ...]:
    """What tells the two apart, the largest effect first; what chance may have done (Welch's test) is left out."""
    before = {measured.key: measured for measured in one.measures if measured.key in BY_KEY}
    both = [(before[measured.key], measured) for measured in other.measures if measured.key in before]
    found = [
        difference for first, second in both if (difference := _difference(first, second, CHANCE / len(both), names))
    ]
    return tuple(sorted(found, key=lambda each: (-abs(each.effect), each.key)))


def _difference(one: Measured, other: Measured, chance: float, names: tuple[str, str]) -> Difference | None:
    if min(one.pieces, other.pieces) < PIECES_AT_LEAST or one.value == other.value:
        return None
    # Variances of small groups are taken a little larger than they were found: three equal posts prove nothing.
    variances = [each.spread**2 * each.pieces / (each.pieces - 1) for each in (one, other)]
    error = math.sqrt(sum(variance / each.pieces for variance, each in zip(variances, (one, other), strict=True)))
    change = other.mean - one.mean
    if change * (other.value - one.value) <= 0:
        return None  # long posts say one thing, most posts another
    if error and 2 * stdtr(_freedom(one, other, variances), -abs(change) / error) > chance:
        return None
    spread = math.sqrt(sum(variances) / 2)
    measure = BY_KEY[one.key]
    more = measure.more if other.value > one.value else measure.less
    shown = (_shown(one.value, one.unit), _shown(other.value, one.unit))
    if shown[0] == shown[1]:
        return None
    sentence = (
        f"{measure.subject} are {more} in {names[1]} than in {names[0]}: "
        f"{shown[1]}{_unit(one.unit)} instead of {shown[0]}."
    )
    effect = change / spread if spread else math.copysign(10.0, change)
    return Difference(
        key=one.key,
        name=one.name,
        unit=one.unit,
        one=one.value,
        other=other.value,
        effect=max(-10.0, min(10.0, effect)),
        sentence=sentence,
    )


def _freedom(one: Measured, other: Measured, variances: list[float]) -> float:
    # Welch-Satterthwaite.
    parts = [variance / each.pieces for variance, each in zip(variances, (one, other), strict=True)]
    below = sum(part**2 / (each.pieces - 1) for part, each in zip(parts, (one, other), strict=True))
    return sum(parts) ** 2 / below if below else 1.0


def _shown(value: float, unit: str) -> str:
    return f"{value:.1f}" if unit in ("letters", "sentences") else figure(value)


def _unit(unit: str) -> str:
    return f" {unit}" if unit not in ("grade", "points") else ""
