"""Pace: how fast training goes and how long it will take, from what was measured a moment ago.
Knows durations. Knows nothing of clocks or models."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from statistics import median

# Enough to be steady, few enough to follow a machine that becomes busy.
RECENT = 15


class Pace:
    """Recent steps and evaluations; medians, so that one interrupted step does not spoil the estimate."""

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=RECENT)
        self._tokens: deque[int] = deque(maxlen=RECENT)
        self._evaluations: deque[float] = deque(maxlen=3)
        self._a_written_token: deque[float] = deque(maxlen=3)

    def step(self, seconds: float, tokens: int) -> None:
        """A step took `seconds` and read `tokens` tokens."""
        self._steps.append(seconds)
        self._tokens.append(tokens)

    def evaluation(self, seconds: float) -> None:
        """An evaluation took `seconds`."""
        self._evaluations.append(seconds)

    def wrote(self, seconds: float, tokens: int) -> None:
        """Writing a text of `tokens` tokens took `seconds`."""
        self._a_written_token.append(seconds / tokens)

    @property
    def tokens_per_second(self) -> float:
        """Over the recent steps; 0 before the first."""
        seconds = sum(self._steps)
        return sum(self._tokens) / seconds if seconds else 0.0

    def left(self, steps: int, evaluations: int) -> float:
        """Seconds that the remaining steps and evaluations will take."""
        return steps * _median(self._steps) + evaluations * _median(self._evaluations)

    def writing(self, tokens: int) -> float:
        """Seconds that writing a text of `tokens` tokens will take; 0 before the first was written."""
        return tokens * _median(self._a_written_token)


def _median(measured: Collection[float]) -> float:
    return median(measured) if measured else 0.0
