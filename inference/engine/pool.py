"""Adapter pool: which adapters are known, which are resident on the device, who uses them.
Knows least recently used and deferred unloading. Knows nothing of batches or HTTP."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from inference.engine.adapters import Adapter, Target, read


class UnknownAdapter(LookupError):
    """No adapter of that digest was added, or it is being unloaded."""


@dataclass(frozen=True, kw_only=True)
class AdapterInfo:
    """One resident adapter, for the admin's eyes."""

    digest: str
    rank: int
    bytes: int
    last_used: float
    """Seconds since the epoch."""
    requests_running: int


class AdapterPool:
    """At most `limit` adapters of `budget` bytes on the device; any number known, each by the folder to read it from.

    A request holds a claim from submission to its end, so that unloading waits for it. It holds a place on the device
    only while it runs (`acquire` to `release`), so that waiting requests of many voices do not pin the device full.
    """

    def __init__(
        self,
        target: Target,
        device: torch.device,
        limit: int,
        budget: int | None,
        on_load: Callable[[float], None],
    ) -> None:
        self.target = target
        self._device = device
        self._limit = limit
        self._budget = math.inf if budget is None else budget
        self._on_load = on_load
        self._folders: dict[str, Path] = {}
        self._sizes: dict[str, int] = {}
        self._retired: set[str] = set()
        self._claims: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._resident: OrderedDict[str, Adapter] = OrderedDict()  # least recently used first
        self._last_used: dict[str, float] = {}
        self.evictions = 0

    def add(self, adapter: Adapter, folder: Path) -> None:
        """Make an adapter known, and resident if there is a place for it. Adding it again revokes an unload."""
        self._folders[adapter.digest] = folder
        self._retired.discard(adapter.digest)
        self._sizes[adapter.digest] = adapter.bytes
        if adapter.digest not in self._resident and self._make_room(adapter.bytes):
            self._place(adapter)

    def remove(self, digest: str) -> None:
        """No new requests for it from now on; its memory is given back after the last request that uses it."""
        if digest not in self:
            raise UnknownAdapter(digest)
        self._retired.add(digest)
        self._forget_if_unused(digest)

    def __contains__(self, digest: str) -> bool:
        return digest in self._folders and digest not in self._retired

    def claim(self, digest: str) -> None:
        if digest not in self:
            raise UnknownAdapter(digest)
        self._claims[digest] += 1

    def unclaim(self, digest: str) -> None:
        self._claims[digest] -= 1
        assert self._claims[digest] >= self._running[digest] >= 0
        self._forget_if_unused(digest)

    def acquire(self, digest: str) -> Adapter | None:
        """The adapter, resident until `release`; None while every place is taken by adapters in use.

        Reads an evicted adapter again, and so may raise AdapterRejected when its files have changed.
        """
        if digest not in self._resident:
            if not self._make_room(self._sizes[digest]):
                return None
            started = time.perf_counter()
            self._place(read(digest, self._folders[digest], self.target))
            self._on_load(time.perf_counter() - started)
        self._running[digest] += 1
        self._touch(digest)
        return self._resident[digest]

    def release(self, digest: str) -> None:
        self._running[digest] -= 1
        assert self._running[digest] >= 0
        self._touch(digest)

    def resident(self) -> list[AdapterInfo]:
        """Least recently used first."""
        return [
            AdapterInfo(
                digest=adapter.digest,
                rank=adapter.rank,
                bytes=adapter.bytes,
                last_used=self._last_used[adapter.digest],
                requests_running=self._running[adapter.digest],
            )
            for adapter in self._resident.values()
        ]

    def _place(self, adapter: Adapter) -> None:
        self._resident[adapter.digest] = adapter.to(self._device)
        self._touch(adapter.digest)

    def _touch(self, digest: str) -> None:
        self._resident.move_to_end(digest)
        self._last_used[digest] = time.time()

    def _make_room(self, size: int) -> bool:
        """Evict until `size` bytes fit. One adapter always fits, or its requests would wait for ever."""
        while self._resident and not self._fits(size):
            idle = next((digest for digest in self._resident if not self._running[digest]), None)
            if idle is None:
                return False
            self._drop(idle)
            self.evictions += 1
        return True

    def _fits(self, size: int) -> bool:
        held = sum(self._sizes[digest] for digest in self._resident)
        return len(self._resident) < self._limit and held + size <= self._budget

    def _forget_if_unused(self, digest: str) -> None:
        if not self._claims[digest]:
            # Counters grow by every name ever asked for, unless cleaned.
            del self._claims[digest], self._running[digest]
            if digest in self._retired:
                self._retired.discard(digest)
                if digest in self._resident:
                    self._drop(digest)
                del self._folders[digest], self._sizes[digest]

    def _drop(self, digest: str) -> None:
        del self._resident[digest], self._last_used[digest]
