"""Memory: one budget cut into frames, which key/value pages and adapters take from each other as they need them.
Knows what is free and what may be reclaimed (unified paging: S-LoRA, Sheng et al. 2023, section 5.1). Knows nothing of
what the bytes mean."""

from __future__ import annotations

import heapq
from typing import Protocol

import numpy as np
import torch

_FREE, _PAGE, _BLOCK = 0, 1, 2


class Reclaimable(Protocol):
    """One who keeps frames that nobody uses at the moment, in case they are asked for again."""

    def oldest(self) -> float | None:
        """When the least recently used of them was used; None when there is nothing to reclaim."""

    def reclaim(self) -> None:
        """Give the least recently used one back to the memory."""

    def frames(self) -> int:
        """How many could be given back in all."""


class Memory:
    """Frames 1 to `count` of `arena`, (count + 1, values). Frame 0 is nobody's: rows that fill a batch write to it.

    A page is one frame, and may be moved: holders know it by a number, and `frame_of` tells where it lies now. A block
    is a run of frames, and stays. Blocks are taken from the low end and pages from the high end, so that runs remain.
    """

    def __init__(self, arena: torch.Tensor) -> None:
        self.arena = arena
        self.count = len(arena) - 1
        self.free = self.count
        self.keepers: list[Reclaimable] = []
        self.frame_of = np.zeros(self.count + 1, dtype=np.int32)
        """Page -> frame; page 0 is frame 0."""
        self.frames_in_pages = 0
        self._page_in = np.zeros(self.count + 1, dtype=np.int32)  # frame -> page
        self._kind = np.full(self.count + 2, _FREE, dtype=np.int8)
        self._kind[[0, -1]] = _BLOCK  # fences on both sides
        self._numbers = list(range(self.count, 0, -1))
        # Highest first. A frame that a block took stays listed, and is passed over; see `_highest`.
        self._highest_free = [-frame for frame in range(self.count, 0, -1)]

    @property
    def frame_bytes(self) -> int:
        return self.arena[0].nbytes

    def frames_for(self, values: int) -> int:
        """Frames that hold so many values."""
        return -(-values // self.arena.shape[1])

    def could_free(self, frames: int) -> bool:
        """Whether so many are free or could be."""
        return frames <= self.free or frames <= self.free + sum(keeper.frames() for keeper in self.keepers)

    def take_page(self) -> int | None:
        """None when every frame is in use."""
        if not self._make_free(1):
            return None
        frame = self._highest()
        page = self._numbers.pop()
        self._kind[frame] = _PAGE
        self.frame_of[page] = frame
        self._page_in[frame] = page
        self.free -= 1
        self.frames_in_pages += 1
        return page

    def give_page(self, page: int) -> None:
        frame = int(self.frame_of[page])
        assert self._kind[frame] == _PAGE
        self._numbers.append(page)
        self.frames_in_pages -= 1
        self._set_free(frame, 1)

    def take_block(self, values: int) -> int | None:
        """First frame of a run that holds so many values; None when it can't be had now."""
        size = self.frames_for(values)
        if not self._make_free(size):
            return None
        while (first := self._run(size)) is None:
            # Enough is free, in pieces: what lies between them moves, or goes if it is a block that nobody uses.
            if (first := self._window(size)) is not None:
                self._clear(first, size)
                break
            if not self._reclaim_one():
                return None
        self._kind[first : first + size] = _BLOCK
        self.free -= size
        return first

    def give_block(self, first: int, values: int) -> None:
        size = self.frames_for(values)
        assert (self._kind[first : first + size] == _BLOCK).all()
        self._set_free(first, size)

    def block(self, first: int, values: int) -> torch.Tensor:
        """The (values,) that begin with a frame."""
        return self.arena[first : first + self.frames_for(values)].view(-1)[:values]

    def _set_free(self, first: int, size: int) -> None:
        self._kind[first : first + size] = _FREE
        self.free += size
        for frame in range(first, first + size):
            heapq.heappush(self._highest_free, -frame)
        if len(self._highest_free) > 4 * self.count:
            self._highest_free = (-np.flatnonzero(self._kind == _FREE)[::-1]).tolist()

    def _make_free(self, frames: int) -> bool:
        while self.free < frames:
            if not self._reclaim_one():
                return False
        return True

    def _reclaim_one(self) -> bool:
        """Of all that nobody uses, what was used the longest ago."""
        aged = [(age, keeper) for keeper in self.keepers if (age := keeper.oldest()) is not None]
        if not aged:
            return False
        min(aged, key=lambda pair: pair[0])[1].reclaim()
        return True

    def _highest(self) -> int:
        while True:
            frame = -heapq.heappop(self._highest_free)
            if self._kind[frame] == _FREE:
                return frame

    def _free_runs(self) -> tuple[np.ndarray, np.ndarray]:
        """First frames and lengths."""
        free = self._kind == _FREE
        edges = np.flatnonzero(free[1:] != free[:-1]) + 1
        return edges[::2], edges[1::2] - edges[::2]

    def _run(self, size: int) -> int | None:
        """The first of the shortest runs that are long enough."""
        firsts, lengths = self._free_runs()
        fitting = np.flatnonzero(lengths >= size)
        return int(firsts[fitting[lengths[fitting].argmin()]]) if len(fitting) else None

    def _window(self, size: int) -> int | None:
        """Where the fewest pages would have to move; None when blocks are everywhere."""
        kind = self._kind[1:-1]
        pages = np.concatenate(([0], np.cumsum(kind == _PAGE)))
        blocks = np.concatenate(([0], np.cumsum(kind == _BLOCK)))
        moved = (pages[size:] - pages[:-size]).astype(float)
        moved[blocks[size:] > blocks[:-size]] = np.inf
        best = int(moved.argmin())
        return best + 1 if np.isfinite(moved[best]) else None

    def _clear(self, first: int, size: int) -> None:
        """Move the pages of a window out of it."""
        inside = slice(first, first + size)
        sources = first + np.flatnonzero(self._kind[inside] == _PAGE)
        free = np.flatnonzero(self._kind == _FREE)
        targets = free[(free < first) | (free >= first + size)][: len(sources)]
        device = self.arena.device
        # In the order of the stream: steps that were launched before read the old places, later ones the new.
        self.arena[torch.from_numpy(targets).to(device)] = self.arena[torch.from_numpy(sources).to(device)]
        pages = self._page_in[sources]
        self.frame_of[pages] = targets
        self._page_in[targets] = pages
        self._kind[targets] = _PAGE
        self._kind[inside] = _FREE
