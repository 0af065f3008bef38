"""Turns: which waiting request is next, so that owners share the engine whatever each has asked for.
Knows owners, what each was served and how long requests have waited. Knows nothing of memory or adapters."""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from operator import attrgetter

from inference.engine.sequence import Sequence

_WRITTEN = 2  # a token written costs as much as this many read, as hosted APIs price them
_number = attrgetter("number")
_MOST_IDLE = 10_000


class Turns:
    """Virtual token counter (Sheng et al. 2024, "Fairness in Serving Large Language Models").

    The owner who was served least goes first. One who begins to wait starts level with the least served of those who
    wait, or if nobody does with the most served of all: nobody saves turns up in a pause, and nobody owes for what
    others left. Ahead of them all goes the request of an owner for whom nothing runs, once it has waited longer than
    `patience` seconds: whatever the counters say, it is reached.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: dict[str, deque[Sequence]] = {}
        self._running: Counter[str] = Counter()
        self._served: dict[str, float] = {}
        self._count = 0
        self._most = 0.0
        """That anybody was served."""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Sequence]:
        """All that wait, in no order."""
        for queue in self._waiting.values():
            yield from queue

    @property
    def owners(self) -> int:
        """Those who wait or run."""
        return len(self._waiting.keys() | self._running.keys())

    @property
    def waiting_owners(self) -> Iterable[str]:
        return self._waiting.keys()

    def running(self, owner: str) -> int:
        return self._running[owner]

    def served(self, owner: str) -> float:
        return self._served.get(owner, 0.0)

    def add(self, sequence: Sequence, *, again: bool = False) -> None:
        """Behind its owner's others; `again` puts it back before those that came later."""
        owner = sequence.owner
        if owner not in self._waiting:
            self._enter(owner)
        queue = self._waiting.setdefault(owner, deque())
        place = len(queue)
        while again and place and queue[place - 1].number > sequence.number:
            place -= 1
        queue.insert(place, sequence)
        self._count += 1

    def remove(self, sequence: Sequence) -> None:
        queue = self._waiting[sequence.owner]
        queue.remove(sequence)
        self._count -= 1
        if not queue:
            del self._waiting[sequence.owner]

    def start(self, sequence: Sequence) -> None:
        """It leaves those that wait, and runs."""
        self.remove(sequence)
        self._running[sequence.owner] += 1

    def stop(self, sequence: Sequence) -> None:
        """It runs no longer."""
        self._running[sequence.owner] -= 1
        if not self._running[sequence.owner]:
            del self._running[sequence.owner]

    def charge(self, sequence: Sequence, *, read: int = 0, written: int = 0) -> None:
        self._served[sequence.owner] = served = self.served(sequence.owner) + read + _WRITTEN * written
        self._most = max(self._most, served)

    def order(self) -> Iterator[Sequence]:
        """Those that wait now, the next one first. What was yielded may start, and others may step back for it."""
        now = time.monotonic()
        heads = [queue[0] for owner, queue in self._waiting.items() if owner not in self._running]
        aged = min((head for head in heads if now - head.arrived > self._patience), default=None, key=_number)
        # What was yielded counts here as if it were served: an owner's second request comes behind others' first.
        heap = [(self.served(owner), queue[0].number, owner, 0) for owner, queue in self._waiting.items()]
        queues = {owner: list(self._waiting[owner]) for _, _, owner, _ in heap}
        heapq.heapify(heap)
        if aged is not None:
            yield aged
        while heap:
            served, _, owner, index = heapq.heappop(heap)
            queue = queues[owner]
            sequence = queue[index]
            if sequence is not aged:
                yield sequence
            if index + 1 < len(queue):
                cost = served + len(sequence.tokens)
                heapq.heappush(heap, (cost, queue[index + 1].number, owner, index + 1))

    def _enter(self, owner: str) -> None:
        level = min((self.served(other) for other in self._waiting), default=self._most)
        if len(self._served) > _MOST_IDLE:
            there = {*self._waiting, *self._running}
            self._served = {other: served for other, served in self._served.items() if other in there}
        self._served[owner] = max(self.served(owner), level)
