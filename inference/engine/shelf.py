"""Shelf: the adapters that lie in one memory, and which of them may go.
Knows blocks, pins and least recently used. Knows nothing of files, of other tiers or of requests."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass

import torch

from inference.engine.memory import Memory


@dataclass
class _Place:
    first: int
    """Frame."""
    values: int
    used: float
    ready: bool = False


class Shelf:
    """An adapter's block is taken first and filled later; until then it is not `ready`, and pinned."""

    def __init__(self, memory: Memory, on_drop: Callable[[str], None] = lambda digest: None) -> None:
        self.memory = memory
        self._on_drop = on_drop
        self.evictions = 0
        self.bytes = 0
        self.protected: Collection[str] = ()
        """Adapters that must not go, beside those that are pinned."""
        self._places: OrderedDict[str, _Place] = OrderedDict()  # least recently used first
        self._pins: Counter[str] = Counter()
        memory.keepers.append(self)

    def take(self, digest: str, values: int) -> torch.Tensor | None:
        """A block to be filled, (values,), pinned until `fill`ed; None when there is no room now."""
        assert digest not in self._places
        first = self.memory.take_block(values)
        if first is None:
            return None
        self._places[digest] = _Place(first=first, values=values, used=time.monotonic())
        self._pins[digest] += 1
        block = self.memory.block(first, values)
        self.bytes += block.nbytes
        return block

    def filled(self, digest: str) -> None:
        self._places[digest].ready = True
        self.unpin(digest)

    def find(self, digest: str) -> torch.Tensor | None:
        """Its block, if it is filled."""
        place = self._places.get(digest)
        return self.memory.block(place.first, place.values) if place is not None and place.ready else None

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def pin(self, digest: str) -> None:
        self._pins[digest] += 1

    def unpin(self, digest: str) -> None:
        self._pins[digest] -= 1
        assert self._pins[digest] >= 0
        if not self._pins[digest]:
            del self._pins[digest]
        self.touch(digest)

    def touch(self, digest: str) -> None:
        """It was used now."""
        self._places.move_to_end(digest)
        self._places[digest].used = time.monotonic()

    def drop(self, digest: str) -> None:
        place = self._places.pop(digest)
        self._pins.pop(digest, None)
        self.bytes -= self.memory.block(place.first, place.values).nbytes
        self.memory.give_block(place.first, place.values)
        self._on_drop(digest)

    # Reclaimable

    def oldest(self) -> float | None:
        found = self._least_recent()
        return self._places[found].used if found is not None else None

    def reclaim(self) -> None:
        found = self._least_recent()
        assert found is not None
        self.drop(found)
        self.evictions += 1

    def frames(self) -> int:
        return sum(self.memory.frames_for(p.values) for digest, p in self._places.items() if self._may_go(digest))

    def _least_recent(self) -> str | None:
        return next((digest for digest in self._places if self._may_go(digest)), None)

    def _may_go(self, digest: str) -> bool:
        return digest not in self._pins and digest not in self.protected
