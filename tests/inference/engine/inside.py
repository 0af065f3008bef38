"""What tests look at, and turn, inside an engine: leaks, time, disks, and a scheduler that hopes for the best.
Knows the engine's parts by their private names, so that no test has to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from adapters.lora_files import Adapter, Checked
from inference.engine import Engine, pool
from inference.engine.batch import PackedBatch
from inference.engine.prefix import Pages
from inference.engine.sequence import Sequence


def leaks(engine: Engine) -> list[str]:
    """What is still held although no request is left; empty when all is free or may be reclaimed."""
    pool, pages, memory, scheduler = engine._pool, engine._pages, engine._memory, engine._scheduler
    engine.adapters()  # notes what has been read meanwhile
    found = {
        "sequences": engine._sequences,
        "running": scheduler.running,
        "waiting": list(scheduler.waiting),
        "owners who run": scheduler.waiting._running,
        # One may still be there for requests that have ended meanwhile.
        "a step in flight": [s for s in engine._in_flight.sequences if not s.ended] if engine._in_flight else [],
        "page holders": pages._holders,
        "pins": pool._device._pins,
        "claims": [digest for digest, entry in pool._entries.items() if entry.claims or entry.running],
        "retired": [digest for digest, entry in pool._entries.items() if entry.retired and digest not in pool._reading],
        "pages that nobody keeps": memory.frames_in_pages - pages.frames(),
        "frames": memory.count - memory.free - pages.frames() - sum(map(memory.frames_for, _values(engine))),
        "frames that are marked": memory.count - memory.free - int(np.count_nonzero(memory._kind[1:-1])),
        "keys of pages": len(pages._key_of) - pages.frames(),
        "places of pages": len(pages._page_at) - len(pages._place_of),
    }
    return [f"{name}: {left}" for name, left in found.items() if left]


def _values(engine: Engine) -> list[int]:
    return [place.values for place in engine._pool._device._places.values()]


def settle(engine: Engine) -> None:
    """Wait for what is being read, though nobody asks for it any more."""
    until = time.monotonic() + 20
    while engine._pool._reading or engine._pool._copying:
        assert time.monotonic() < until, "a read never ends"
        engine._pool.wait(0.01)
        engine.adapters()  # notes what has come


def hopeful(engine: Engine) -> Engine:
    """One that admits whatever fits now, as if nobody wrote on: what does not fit later is preempted."""
    engine._scheduler._growth = lambda sequence: 1  # type: ignore[method-assign]
    return engine


def preempt(engine: Engine, *ids: str) -> None:
    """As if memory ran out."""
    for sequence in [s for s in engine._scheduler.running if s.request.id in ids]:
        engine._scheduler.preempt(sequence)


def preempt_within_steps(engine: Engine, choose: Callable[[list[Sequence]], list[Sequence]]) -> None:
    """Preempt of those that run, in every step, when a step that was launched ahead may still choose their tokens."""
    chunks = engine._scheduler.chunks

    def preempting() -> list[Any]:
        for sequence in choose(list(engine._scheduler.running)):
            engine._scheduler.preempt(sequence)
        return chunks()

    engine._scheduler.chunks = preempting  # type: ignore[method-assign]


def running(engine: Engine) -> list[Sequence]:
    return engine._scheduler.running


def pages_of(engine: Engine) -> Pages:
    return engine._pages


def runs_ahead(engine: Engine) -> Engine:
    """One that launches a step before it reads the last one's tokens, as on a GPU."""
    engine._runner.runs_ahead = True
    return engine


def before_launch(engine: Engine, look: Callable[[list[Any]], None]) -> None:
    """Call `look` with the chunks of every step; what it raises, the step raises."""
    launch = engine._runner.launch

    def watched(chunks: list[Any]) -> Any:
        look(chunks)
        return launch(chunks)

    engine._runner.launch = watched  # type: ignore[method-assign]


def out_of_memory() -> torch.OutOfMemoryError:
    return torch.OutOfMemoryError("CUDA out of memory")


def steps_captured(engine: Engine) -> set[int]:
    """Sizes of those that decode."""
    return {size for (size, _, _), graph in engine._runner._graphs._graphs.items() if graph is not None}


class Clock:
    """Monotonic time that a test moves on."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._real = time.monotonic

    def __call__(self) -> float:
        return self._real() + self.ahead


@contextmanager
def watch_logits(engine: Engine) -> Iterator[list[torch.Tensor]]:
    """Those of every token that a step reads, (tokens, vocabulary) a step."""
    seen: list[torch.Tensor] = []
    model_run = engine._model.run

    def watched(batch: PackedBatch, rows: list[int]) -> torch.Tensor:
        seen.append(model_run(batch, list(range(len(batch.tokens)))))
        return seen[-1][rows]

    captured = engine._runner._graphs.run
    engine._model.run = watched  # type: ignore[method-assign]
    engine._runner._graphs.run = lambda batch, rows: None  # type: ignore[method-assign]
    yield seen
    engine._model.run, engine._runner._graphs.run = model_run, captured  # type: ignore[method-assign]


class Disk:
    """Reads wait until they may go on; `reads` are those that were begun."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.threads: set[int] = set()
        self._real = pool.read
        self._open: dict[str, threading.Event] = {}

    def slow(self, digest: str) -> None:
        self._open[digest] = threading.Event()

    def go_on(self) -> None:
        for event in self._open.values():
            event.set()
        self._open = {}

    def read(self, checked: Checked, block: torch.Tensor) -> Adapter:
        self.reads.append(checked.digest)
        self.threads.add(threading.get_ident())
        if (event := self._open.get(checked.digest)) is not None:
            assert event.wait(30)
        return self._real(checked, block)


def register(engine: Engine, *adapters: tuple[str, Path]) -> None:
    for digest, folder in adapters:
        engine.register(engine.check_adapter(digest, folder))


def told(engine: Engine) -> dict[str, tuple[str, int, int]]:
    return {i.digest: (i.tier, i.requests_running, i.requests_waiting) for i in engine.adapters()}


def tiers(engine: Engine) -> dict[str, str]:
    return {info.digest: info.tier for info in engine.adapters()}
