"""Adapter pool: registered adapters on their way from disk over host memory to the device, and who uses them.
Knows tiers, claims and deferred unloading. Knows nothing of batches, of the order of requests or of HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal, cast

import torch

from adapters.lora_files import Adapter, AdapterRejected, Checked, Target, read
from inference.engine.memory import Memory
from inference.engine.shelf import Shelf
from inference.engine.types import AdapterInfo, Tier

_READERS = 2
Found = Literal["ready", "coming", "no room"]


class UnknownAdapter(LookupError):
    """No adapter of that digest is registered, or it is being unloaded."""


@dataclass
class _Entry:
    checked: Checked
    last_used: float
    """Seconds since the epoch."""
    claims: int = 0
    """Requests from submission to their end: unloading waits for them."""
    running: int = 0
    """Requests that hold it on the device: waiting ones of many voices do not pin the device full."""
    retired: bool = False
    resident: Adapter | None = None


@dataclass
class _Copy:
    """On its way to the device."""

    done: torch.cuda.Event
    started: float
    source: torch.Tensor


class AdapterPool:
    """Any number registered, each by the folder to read it from.

    Files are read on threads; on a GPU into pinned `host` memory, whence one copy on a stream of its own brings the
    block to the device. On the CPU `host` is None, and files are read right into place. The engine's thread never
    waits for either: it asks again (`fetch`) at its next step.
    """

    def __init__(
        self,
        target: Target,
        memory: Memory,
        host: Memory | None,
        on_load: Callable[[Tier, float], None],
        on_forget: Callable[[str], None],
    ) -> None:
        self.target = target
        self._device = Shelf(memory, on_drop=self._left_device)
        self._host = Shelf(host) if host is not None else None
        self._shelves = [self._device] if self._host is None else [self._device, self._host]
        self._on_load = on_load
        self._on_forget = on_forget
        self._entries: dict[str, _Entry] = {}
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="adapter-reader")
        self._reading: dict[str, tuple[Future[float], torch.Tensor]] = {}
        self._copying: dict[str, _Copy] = {}
        self._read: dict[str, torch.Tensor] = {}
        """Blocks larger than all of host memory, until they are on the device."""
        self._failed: dict[str, AdapterRejected] = {}
        self._stream = torch.cuda.Stream(memory.arena.device) if host is not None else None

    # Registration

    def add(self, checked: Checked) -> None:
        """Register; again, it revokes an unload."""
        entry = self._entries.setdefault(checked.digest, _Entry(checked=checked, last_used=time.time()))
        entry.retired = False

    def remove(self, digest: str) -> None:
        """No new requests for it from now on; its memory is given back after the last request that uses it."""
        if digest not in self:
            raise UnknownAdapter(digest)
        self._entries[digest].retired = True
        self._forget_if_unused(digest)

    def __contains__(self, digest: str) -> bool:
        entry = self._entries.get(digest)
        return entry is not None and not entry.retired

    # Use

    def claim(self, digest: str) -> None:
        if digest not in self:
            raise UnknownAdapter(digest)
        self._entries[digest].claims += 1

    def unclaim(self, digest: str) -> None:
        entry = self._entries[digest]
        entry.claims -= 1
        assert entry.claims >= entry.running >= 0
        self._forget_if_unused(digest)

    def find(self, digest: str) -> Found:
        """Whether it is on the device."""
        return "ready" if self._entries[digest].resident is not None else "coming"

    def fetch(self, digest: str, spare: int = 0) -> Found:
        """Whether it is on the device; if not, move it one tier nearer where there is room, or where one can go that
        nobody runs on; `spare` frames of the device are left to others."""
        if (found := self.find(digest)) == "ready" or digest in self._reading or digest in self._copying:
            return found
        source = self._read.get(digest)
        if source is None and self._host is not None:
            source = self._host.find(digest)
        if source is not None or self._host is None:
            memory = self._device.memory
            if spare and not memory.could_free(memory.frames_for(self._entries[digest].checked.values) + spare):
                return "no room"
        begun = self._start_reading(digest) if source is None else self._start_copying(digest, source)
        return "coming" if begun else "no room"

    def prefetch(self, digests: Iterable[str], spare: int) -> None:
        """Fetch what those who wait need, the next one first, as far as there is room: what is there for one of them
        does not go for those behind."""
        kept: set[str] = set()
        for shelf in self._shelves:
            shelf.protected = kept
        for digest in digests:
            kept.add(digest)
            if self.fetch(digest, spare) == "no room":
                break
        for shelf in self._shelves:
            shelf.protected = ()

    def expect(self, digests: Collection[str]) -> None:
        """Those who wait need these, the first one soonest: when pages need room, the last one goes first."""
        for digest in reversed([*digests]):
            for shelf in self._shelves:
                if digest in shelf:
                    shelf.touch(digest)

    def acquire(self, digest: str) -> Adapter:
        """The adapter, which `fetch` has said is on the device, and stays there until `release`."""
        entry = self._entries[digest]
        assert entry.resident is not None
        entry.running += 1
        entry.last_used = time.time()
        self._device.pin(digest)
        return entry.resident

    def release(self, digest: str) -> None:
        entry = self._entries[digest]
        entry.running -= 1
        assert entry.running >= 0
        entry.last_used = time.time()
        self._device.unpin(digest)

    def poll(self) -> None:
        """Note what has arrived."""
        for digest, (future, block) in list(self._reading.items()):
            if future.done():
                del self._reading[digest]
                self._finish_reading(digest, future, block)
        for digest, copy in list(self._copying.items()):
            if copy.done.query():
                del self._copying[digest]
                self._read.pop(digest, None)
                if self._host is not None and digest in self._host:
                    self._host.unpin(digest)
                self._arrive(digest, time.perf_counter() - copy.started)

    def take_failures(self) -> dict[str, AdapterRejected]:
        """Adapters that turned out to be unusable since this was last asked, and why."""
        failed, self._failed = self._failed, {}
        return failed

    def wait(self, seconds: float) -> None:
        """Until something may have arrived."""
        futures = [future for future, _ in self._reading.values()]
        if self._copying or not futures:
            time.sleep(min(seconds, 0.0002))
        else:
            wait(futures, timeout=seconds, return_when=FIRST_COMPLETED)

    # Telling

    def infos(self) -> list[AdapterInfo]:
        """All registered, least recently used first, and those that go with their last request."""
        entries = sorted((e for e in self._entries.values() if e.claims or not e.retired), key=lambda e: e.last_used)
        return [
            AdapterInfo(
                digest=entry.checked.digest,
                rank=entry.checked.rank,
                bytes=entry.checked.values * self.target.dtype.itemsize,
                tier=self._tier(entry.checked.digest),
                last_used=entry.last_used,
                requests_running=entry.running,
                requests_waiting=entry.claims - entry.running,
            )
            for entry in entries
        ]

    def bytes(self) -> dict[Tier, int]:
        """Held in each tier."""
        held = {"device": self._device.bytes, "host": self._host.bytes if self._host is not None else 0}
        size = self.target.dtype.itemsize
        nowhere = (e.checked.values * size for d, e in self._entries.items() if self._tier(d) == "disk")
        return cast("dict[Tier, int]", {**held, "disk": sum(nowhere)})

    def evictions(self) -> dict[Tier, int]:
        return {"device": self._device.evictions, "host": self._host.evictions if self._host is not None else 0}

    def close(self) -> None:
        self._readers.shutdown(wait=True, cancel_futures=True)

    # Inside

    def _tier(self, digest: str) -> Tier:
        if self._entries[digest].resident is not None:
            return "device"
        return "host" if self._host is not None and self._host.find(digest) is not None else "disk"

    def _start_reading(self, digest: str) -> bool:
        """Into the tier that files are read into, if it has room."""
        shelf = self._host or self._device
        checked = self._entries[digest].checked
        block = shelf.take(digest, checked.values)
        if block is None:
            if self._host is None or self._host.memory.frames_for(checked.values) <= self._host.memory.count:
                return False
            block = torch.empty(checked.values, dtype=self.target.dtype)
        self._reading[digest] = (self._readers.submit(_read_into, checked, block), block)
        return True

    def _finish_reading(self, digest: str, future: Future[float], block: torch.Tensor) -> None:
        shelf = self._host or self._device
        if (error := future.exception()) is not None:
            if digest in shelf:
                shelf.drop(digest)
            if not isinstance(error, AdapterRejected):
                raise error
            self._failed[digest] = error
            self._forget_if_unused(digest)
            return
        if digest not in shelf:
            self._read[digest] = block
        else:
            shelf.filled(digest)
        if shelf is self._device:
            self._arrive(digest, future.result(), filled=True)
        else:
            self._on_load("host", future.result())
            self._forget_if_unused(digest)

    def _start_copying(self, digest: str, source: torch.Tensor) -> bool:
        assert self._stream is not None
        block = self._device.take(digest, self._entries[digest].checked.values)
        if block is None:
            return False
        if self._host is not None and digest in self._host:
            self._host.pin(digest)
        launched = torch.cuda.Event()
        launched.record(torch.cuda.current_stream(block.device))
        # Steps that were launched before may still read what lay in these frames.
        self._stream.wait_event(launched)
        with torch.cuda.stream(self._stream):
            block.copy_(source, non_blocking=True)
            done = torch.cuda.Event()
            done.record(self._stream)
        self._copying[digest] = _Copy(done=done, started=time.perf_counter(), source=source)
        return True

    def _arrive(self, digest: str, seconds: float, *, filled: bool = False) -> None:
        if not filled:
            self._device.filled(digest)
        self._on_load("device", seconds)
        checked = self._entries[digest].checked
        block = self._device.find(digest)
        assert block is not None
        self._entries[digest].resident = checked.in_block(block)
        self._forget_if_unused(digest)

    def _left_device(self, digest: str) -> None:
        if (entry := self._entries.get(digest)) is not None:
            entry.resident = None

    def _forget_if_unused(self, digest: str) -> None:
        entry = self._entries[digest]
        if not entry.retired or entry.claims or digest in self._reading or digest in self._copying:
            return
        del self._entries[digest]
        self._read.pop(digest, None)
        for shelf in self._shelves:
            if digest in shelf:
                shelf.drop(digest)
        self._on_forget(digest)


def _read_into(checked: Checked, block: torch.Tensor) -> float:
    """On a reader's thread: the seconds that it took."""
    started = time.perf_counter()
    read(checked, block)
    return time.perf_counter() - started
