"""Scheduler: which requests run, and which of their tokens go into the next step.
Knows places, pages and turns. Knows nothing of tensors or models."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from inference.engine.memory import Memory
from inference.engine.prefix import PAGE, Pages, pages_for
from inference.engine.sequence import Sequence
from inference.engine.turns import Turns

_FAR = 1024
"""Tokens: nobody is expected to write more, whatever its limit says."""
_number = attrgetter("number")
_CAUTION, _COURAGE, _LEAST_FORESIGHT = 0.01, 0.995, 0.1
"""How foresight grows with every preemption and shrinks with every step."""


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
    """Owners take turns; within an owner, first come, first served.

    When memory runs out, the newest of those that run gives its pages back and is read again from the beginning once
    there is room: the oldest always goes on. When an owner who has less than an equal share of the places finds them
    taken, the newest request of the owner who has the most steps back in the same way.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        pages: Pages,
        max_running: int,
        max_waiting: int,
        prefill_tokens: int,
        fill: bool,
        patience: float,
        on_stop: Callable[[Sequence], None],
    ) -> None:
        self._memory = memory
        self._pages = pages
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._prefill_tokens = self._most_prefill_tokens = prefill_tokens
        self._places: float = max_running
        self._fill = fill
        self._on_stop = on_stop
        self.preemptions = 0
        self._foresight = 0.4
        """Of the tokens that those who run may still write, the part that is expected."""
        self.waiting = Turns(patience)
        self.running: list[Sequence] = []

    def add(self, sequence: Sequence) -> None:
        # Counted together: what was submitted since the last step waits only until the next one.
        if len(self.waiting) + len(self.running) >= self._max_running + self._max_waiting:
            raise QueueFull(f"{len(self.waiting)} requests wait already")
        self.waiting.add(sequence)

    def remove(self, sequence: Sequence) -> None:
        """Forget a sequence that has ended or is cancelled, and free what it holds."""
        if sequence in self.running:
            self._stop(sequence)
        else:
            self.waiting.remove(sequence)

    def start(self, sequence: Sequence) -> bool:
        """Let it run, if there are a place and pages for what it has to read; it begins with what the prefix cache has.

        A part of what those that run may still write is left free, or it would soon be preempted: the more, the more
        preemptions there have been.
        """
        if not self.has_turn(sequence.owner):
            return False
        while not self.has_place or not self._fits(sequence):
            if not self._make_way(sequence):
                return False
        self.waiting.start(sequence)
        self.running.append(sequence)
        sequence.cached = self._pages.hold(sequence.held, sequence.request.adapter, sequence.tokens)
        if sequence.queue_seconds is None:
            self.waiting.charge(sequence, read=len(sequence.tokens))
            sequence.queue_seconds = time.monotonic() - sequence.arrived
        return True

    def chunks(self) -> list[Chunk]:
        """One token for every sequence that decodes, then chunks of prompts, of every owner the same share of the rest.

        Prompts share a budget a step, so a long one does not make the others wait for long.
        """
        decoding = [s for s in self.running if s.unread == 1 and not s.is_full]
        # Steps of one size are what a GPU likes best: places where nobody writes are filled with more of the prompts.
        budget = self._prefill_tokens + (self._max_running - len(decoding) if self._fill else 0)
        chunks: list[Chunk] = []
        for sequence, count in [*((sequence, 1) for sequence in decoding), *self._prompts(budget)]:
            if sequence in self.running and self._make_room(sequence, sequence.cached + count):
                chunks.append(Chunk(sequence=sequence, count=count))
        # One before may have been preempted by one behind it.
        return [chunk for chunk in chunks if chunk.sequence.held.pages]

    def step_back(self) -> bool:
        """A step was too much for the device: make the next ones smaller; False when they are the smallest already."""
        running = sorted(self.running, key=_number)
        if len(running) == 1 and self._prefill_tokens <= PAGE:
            return False
        self._prefill_tokens = max(PAGE, self._prefill_tokens // 2)
        self._places = max(1, len(running) // 2)
        for sequence in running[int(self._places) :]:
            self.preempt(sequence)
        return True

    def recover(self) -> None:
        """A step went well: forget slowly what went wrong before."""
        self._foresight = max(_LEAST_FORESIGHT, self._foresight * _COURAGE)
        self._places = min(self._max_running, self._places + _COURAGE / 100)
        self._prefill_tokens = min(self._most_prefill_tokens, self._prefill_tokens + 1)

    def _prompts(self, budget: int) -> list[tuple[Sequence, int]]:
        """Who reads how many tokens: what an owner does not need of its share goes to the others, the oldest first."""
        reading = sorted((s for s in self.running if s.unread > 1), key=_number)
        counts = dict.fromkeys(reading, 0)
        left = dict.fromkeys((s.owner for s in reading), -(-budget // len({s.owner for s in reading} or {""})))
        for within_share in (True, False):
            for sequence in reading:
                most = left[sequence.owner] if within_share else budget
                count = min(sequence.unread - counts[sequence], most, budget)
                counts[sequence] += count
                left[sequence.owner] -= count
                budget -= count
        return [(sequence, count) for sequence, count in counts.items() if count]

    def preempt(self, sequence: Sequence) -> None:
        """It waits again, and will be read from the beginning."""
        self._stop(sequence)
        self.waiting.add(sequence, again=True)
        self.preemptions += 1

    def _make_room(self, sequence: Sequence, tokens: int) -> bool:
        while not self._pages.grow(sequence.held, tokens):
            self._foresight = min(1.0, self._foresight + _CAUTION)
            newest = max(self.running, key=_number)
            self.preempt(newest)
            if newest is sequence:
                return False
        return True

    def _growth(self, sequence: Sequence) -> int:
        """Pages that it is expected to take beyond those that it needs now."""
        rest = min(sequence.limit - sequence.length, _FAR)
        return pages_for(int(rest * self._foresight)) + 1

    @property
    def growth(self) -> int:
        """Pages that those who run are expected to take: for what they have to read, and for what they write."""
        return sum(pages_for(s.length) - len(s.held.pages) + self._growth(s) for s in self.running)

    @property
    def has_place(self) -> bool:
        return len(self.running) < int(self._places)

    def has_turn(self, owner: str) -> bool:
        """Whether an owner may have one more place: none beyond an equal share while others wait below theirs."""
        share = self._places / self.waiting.owners
        if share < 1 or self.waiting.running(owner) + 1 <= share:
            return True
        return not any(self.waiting.running(other) + 1 <= share for other in self.waiting.waiting_owners)

    def _fits(self, sequence: Sequence) -> bool:
        missing = pages_for(sequence.length)
        if self.running:
            missing += self._growth(sequence) + self.growth
        could_free = self._memory.could_free
        held_by_others = self._pages.held_by_others
        return could_free(missing) or could_free(missing - held_by_others(sequence.request.adapter, sequence.tokens))

    def _make_way(self, sequence: Sequence) -> bool:
        """Preempt one of an owner who has more than an equal share of places or pages, for one who stays below."""
        owners = self.waiting.owners
        places = Counter(s.owner for s in self.running)
        pages = Counter[str]()
        for other in self.running:
            pages[other.owner] += len(other.held.pages) + self._growth(other)
        # One at least: where there are more owners than places, nobody keeps several while others have none.
        even = max(1.0, self._places / owners)
        fewer_places = places[sequence.owner] + 1 <= even
        needed = pages_for(sequence.length) + self._growth(sequence)
        fewer_pages = pages[sequence.owner] + needed <= self._memory.count / owners
        if not fewer_places or not fewer_pages:
            return False
        counted, share = (places, even) if not self.has_place else (pages, self._memory.count / owners)
        owner, most = counted.most_common(1)[0] if counted else (sequence.owner, 0)
        if most <= share or owner == sequence.owner:
            return False
        self.preempt(max((s for s in self.running if s.owner == owner), key=_number))
        return True

    def _stop(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self.waiting.stop(sequence)
        self._pages.release(sequence.held, now=time.monotonic())
        sequence.cached = 0
        self._on_stop(sequence)
