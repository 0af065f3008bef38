"""Scheduler: which requests run, and which of their tokens go into the next step.
Knows limits, first come first served and reserved cache tokens. Knows nothing of tensors or models."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from inference.engine.sequence import Sequence


class QueueFull(RuntimeError):
    """No more requests are taken now; try again later."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """The next `count` unread tokens of a sequence: one when it decodes."""

    sequence: Sequence
    count: int

    @property
    def completes(self) -> bool:
        """Whether the model then has read everything there is, so that the next token can be chosen."""
        return self.sequence.unread == self.count


class Scheduler:
    """First come, first served; a request that does not fit yet holds back those behind it, so nobody starves."""

    def __init__(self, *, max_running: int, max_waiting: int, kv_tokens: int, prefill_tokens: int) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._kv_tokens = kv_tokens
        self._prefill_tokens = prefill_tokens
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        # Counted together: what was submitted since the last step waits only until the next one.
        if len(self.waiting) + len(self.running) >= self._max_running + self._max_waiting:
            raise QueueFull(f"{len(self.waiting)} requests wait already")
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence that has ended or is cancelled."""
        if sequence in self.running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)

    def candidate(self) -> Sequence | None:
        """The request that may run next, if there is a place and cache for it."""
        if not self.waiting or len(self.running) >= self._max_running:
            return None
        reserved = sum(sequence.limit for sequence in self.running)
        first = self.waiting[0]
        return first if reserved + first.limit <= self._kv_tokens else None

    def start(self, sequence: Sequence) -> None:
        assert self.waiting[0] is sequence
        self.running.append(self.waiting.popleft())

    def chunks(self) -> Iterator[Chunk]:
        """One token for every sequence that decodes, then chunks of prompts in order of arrival.

        Prompts share a budget a step, so a long one does not make the others wait for long.
        """
        budget = self._prefill_tokens
        for sequence in self.running:
            if sequence.unread == 1:
                yield Chunk(sequence=sequence, count=1)
            elif budget:
                count = min(sequence.unread, budget)
                budget -= count
                yield Chunk(sequence=sequence, count=count)
