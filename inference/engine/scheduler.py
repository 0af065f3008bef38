"""Scheduler: which requests run, and which of their tokens go into the next step.
Knows limits, pages and first come first served. Knows nothing of tensors or models."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from inference.engine.pages import Pages, pages_for
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
    """First come, first served; a request that does not fit yet holds back those behind it, so nobody starves.

    `running` is in order of arrival, and all that wait came later: when pages run out, the newest gives its own back
    and is read again from the beginning once there is room. The oldest always goes on.
    """

    def __init__(self, *, pages: Pages, max_running: int, max_waiting: int, prefill_tokens: int) -> None:
        self._pages = pages
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._prefill_tokens = prefill_tokens
        self.preemptions = 0
        self.waiting: deque[Sequence] = deque()
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        # Counted together: what was submitted since the last step waits only until the next one.
        if len(self.waiting) + len(self.running) >= self._max_running + self._max_waiting:
            raise QueueFull(f"{len(self.waiting)} requests wait already")
        self.waiting.append(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence that has ended or is cancelled, and free its pages."""
        self._pages.give_back(sequence.pages)
        if sequence in self.running:
            self.running.remove(sequence)
        else:
            self.waiting.remove(sequence)

    def candidate(self) -> Sequence | None:
        """The request that may run next, if there is a place, and pages for what it has to read.

        A page for each of those that run is left, or the new one would soon be preempted.
        """
        if not self.waiting or len(self.running) >= self._max_running:
            return None
        first = self.waiting[0]
        return first if pages_for(len(first.tokens)) + len(self.running) <= self._pages.free else None

    def start(self, sequence: Sequence) -> None:
        assert self.waiting[0] is sequence
        room = self._pages.take(sequence.pages, len(sequence.tokens))
        assert room
        self.running.append(self.waiting.popleft())

    def chunks(self) -> tuple[list[Chunk], list[Sequence]]:
        """One token for every sequence that decodes, then chunks of prompts in order of arrival; and who was preempted.

        Prompts share a budget a step, so a long one does not make the others wait for long.
        """
        budget = self._prefill_tokens
        chunks: list[Chunk] = []
        preempted: list[Sequence] = []
        for sequence in self.running.copy():
            count = 1 if sequence.unread == 1 else min(sequence.unread, budget)
            while sequence.pages and not self._pages.take(sequence.pages, sequence.cached + count):
                preempted.append(self._preempt_newest())
            if count and sequence.pages:
                budget -= count if sequence.unread > 1 else 0
                chunks.append(Chunk(sequence=sequence, count=count))
        return chunks, preempted

    def _preempt_newest(self) -> Sequence:
        newest = self.running.pop()
        self._pages.give_back(newest.pages)
        newest.cached = 0
        self.waiting.appendleft(newest)
        self.preemptions += 1
        return newest
