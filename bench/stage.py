"""The stage of the serving benchmark: one dummy model, adapters under any number of names, engines one after another.
Knows how to set an engine up and what a row of results says about it. Knows nothing of what is measured on it."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from bench import machine
from bench.driving import Driver, Measured, Roof
from bench.workload import (
    BASE_DIGEST,
    SHAPES,
    Job,
    Workload,
    dummy_model,
    lora_values,
    write_dummy_adapter,
)
from inference.engine import Engine, EngineConfig, Snapshot

_PATIENCE = 3.0
"""Seconds in which no adapter has arrived, after which none is expected any more."""

PEER_MODES = ("swap", "mixed")
"""PEFT's two ways: requests of one voice after another (set_adapter), or any together in a batch (adapter_names)."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much of everything the scenarios do."""

    duration: float = 120.0
    """Seconds in which requests arrive, in `rate`."""
    ranks_voices: int = 64
    """Adapters of `ranks`."""
    repeats: int = 15
    """Cold adapters of `cold`."""
    steady: int = 64
    """Requests that write all the while in `loading`."""
    steady_voices: int = 8
    """Their voices."""
    steady_steps: int = 300
    """Steps by which `loading` knows what was usual before."""
    loaded: int = 50
    """Cold adapters that `loading` asks for."""
    slots_room: int = 8
    """Adapters for which `slots` has room; it serves as many voices, and then twice as many."""
    slots_requests: int = 300
    """Requests of each run of `slots`."""


QUICK = Sizes(
    duration=1.5,
    ranks_voices=8,
    repeats=3,
    steady=6,
    steady_voices=3,
    steady_steps=12,
    loaded=4,
    slots_room=2,
    slots_requests=8,
)
"""A few of everything: shows that it runs, and nothing else."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for on the command line; its names, defaults and units are those of `bench.serving`."""

    shape: str
    device: str
    dtype: str
    rank: int
    modules: str
    voices: tuple[int, ...]
    requests: int = 600
    rate: float | None = None
    rates: tuple[float, ...] = (10.0,)
    rate_voices: int = 2000
    slots_rate: float = 20.0
    shortest: int = 8
    longest: int = 512
    seconds: float | None = None
    seed: int = 42
    bandwidth: float | None = None
    flops: float | None = None
    peer: Path | None = None
    peer_modes: tuple[str, ...] = PEER_MODES
    peer_voices: int = 32
    peer_seconds: float = 40.0
    limits: Mapping[str, int] = field(default_factory=dict)
    """Fields of EngineConfig, instead of what the benchmark would choose."""
    sizes: Sizes = Sizes()

    def __post_init__(self) -> None:
        if not 1 <= self.shortest < self.longest:
            raise ValueError(f"shortest must be at least 1 and below longest, not {self.shortest} and {self.longest}")
        for name in ("rank", "requests", "rate_voices", "slots_rate", "peer_voices"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if any(rate <= 0 for rate in (*self.rates, *([] if self.rate is None else [self.rate]))):
            raise ValueError("rate and rates must be positive")
        if any(voices < 0 for voices in self.voices):
            raise ValueError(f"voices must not be negative, as in {self.voices}")

    @property
    def cuda(self) -> bool:
        return self.device.startswith("cuda")


@dataclass(frozen=True, kw_only=True)
class Served:
    """An engine, and the adapters that it knows."""

    engine: Engine
    digests: list[str]
    limits: Mapping[str, int]
    """What it was limited to."""
    setup_s: float
    """Seconds from nothing but the model until it was ready, with its adapters where they belong."""


class Stage:
    """Builds the model once; `folder` is where adapters may be written. One engine at a time."""

    def __init__(self, options: Options, folder: Path) -> None:
        self.options = options
        self._folder = folder
        self._dtype: torch.dtype = getattr(torch, options.dtype)
        self.model = dummy_model(options.shape, device=options.device, dtype=self._dtype)
        # Counted before an engine takes the model over.
        self._values = lora_values(self.model, options.modules)
        self._head = self.model.get_output_embeddings().weight.numel()
        linear = (layer for layer in self.model.modules() if isinstance(layer, torch.nn.Linear))
        self._blocks = sum(layer.weight.numel() for layer in linear) - self._head

    @property
    def vocabulary(self) -> int:
        return int(SHAPES[self.options.shape]["vocab_size"])

    @cached_property
    def token_bytes(self) -> int:
        """Of the key/value cache, for one token."""
        shape = SHAPES[self.options.shape]
        head = shape["hidden_size"] // shape["num_attention_heads"]
        return int(2 * shape["num_hidden_layers"] * shape["num_key_value_heads"] * head * self._dtype.itemsize)

    @cached_property
    def roof(self) -> Roof | None:
        known = machine.roof(self.options.device) or (None, None)
        bandwidth, flops = self.options.bandwidth or known[0], self.options.flops or known[1]
        if bandwidth is None or flops is None:
            return None
        return Roof(bandwidth=bandwidth, flops=flops, block_parameters=self._blocks, head_parameters=self._head)

    def adapter_bytes(self, rank: int) -> int:
        """Of one adapter's weights in the model's dtype, with nothing between and around them."""
        return rank * self._values * self._dtype.itemsize

    def adapter(self, rank: int) -> Path:
        """The folder of the one adapter of that rank; written when first asked for."""
        folder = self._folder / f"rank-{rank}"
        if not folder.exists():
            write_dummy_adapter(self.model, folder, rank=rank, modules=self.options.modules)
        return folder

    def workload(self, voices: int, requests: int, rate: float | None, longest: int | None = None) -> Workload:
        options = self.options
        return Workload(
            voices=voices,
            requests=requests,
            rate=rate,
            shortest=options.shortest,
            longest=longest or options.longest,
            seed=options.seed,
        )

    def limits(self, ranks: Sequence[int], *, waiting: int, **chosen: int) -> dict[str, int]:
        """Fields of EngineConfig. Host memory holds every adapter as far as 70 % of the machine's goes."""
        # A little more than the weights: ranks are filled up, and blocks begin at round addresses.
        needed = sum(self.adapter_bytes(rank) for rank in ranks) * 17 // 16 + 2**26
        host = min(needed, machine.host_memory() * 7 // 10)
        on_gpu = {"max_running": 512, "host_bytes": host} if self.options.cuda else {}
        largest = max(ranks, default=self.options.rank)
        return {"max_waiting": max(waiting, 1), "max_rank": largest, **on_gpu, **chosen, **self.options.limits}

    @contextmanager
    def engine(
        self, ranks: Sequence[int], jobs: Sequence[Job] | None = None, /, *, waiting: int, cold: int = 0, **chosen: int
    ) -> Iterator[Served]:
        """An engine with an adapter of each rank in `ranks`; `chosen` are fields of EngineConfig.

        One file a rank, under many names: the engine cannot know, and keeps and copies each for itself. They lie in
        host memory in front of a GPU, and in the device's memory on the CPU; the last `cold` ones of them on the disk
        there. With `jobs`, those that none of them is for stay on the disk too: they are registered, and no more.
        """
        if self.options.cuda:
            gc.collect()
            torch.cuda.empty_cache()  # the engine asks how much is free
        machine.reset_peak(self.options.device)
        started = time.perf_counter()
        limits = self.limits(ranks, waiting=waiting, **chosen)
        config = EngineConfig(base_digest=BASE_DIGEST, **limits)  # type: ignore[arg-type]
        # The adapters are read and written before the engine takes the model's layers over.
        folders = {rank: self.adapter(rank) for rank in set(ranks)}
        engine = Engine(self.model, None, config)
        try:
            digests = [hashlib.sha256(f"{rank} {voice}".encode()).hexdigest() for voice, rank in enumerate(ranks)]
            warm = len(ranks) if self.options.cuda else len(ranks) - cold
            checked = {rank: engine.check_adapter(f"{rank}", folder) for rank, folder in folders.items()}
            wanted = set(range(warm)) if jobs is None else {job.voice for job in jobs if job.voice < warm}
            for voice, (digest, rank) in enumerate(zip(digests, ranks, strict=True)):
                engine.register(replace(checked[rank], digest=digest), load=voice in wanted)
            _wait_for(engine, [digests[voice] for voice in wanted if digests])
            setup = time.perf_counter() - started
            yield Served(engine=engine, digests=digests, limits=limits, setup_s=round(setup, 1))
        finally:
            engine.close()
            del engine

    def driver(self, engine: Engine, after_step: Callable[[], None] = lambda: None) -> Driver:
        return Driver(engine, roof=self.roof, ahead=self.options.cuda, after_step=after_step)

    def row(
        self, scenario: str, served: Served, measured: Measured, snapshot: Snapshot, **fields: Any
    ) -> dict[str, Any]:
        """A row of a result file: what every scenario says, and `fields`, which it adds or replaces."""
        options = self.options
        said = {
            "engine": "idiolect",
            "scenario": scenario,
            "shape": options.shape,
            "device": options.device,
            "dtype": options.dtype,
            "rank": options.rank,
            "modules": options.modules,
            "voices": len(served.digests),
            "requests": options.requests,
            "rate": None,
            "limits": dict(served.limits),
            "setup_s": served.setup_s,
            **measured.fields(floors=self.roof is not None),
            "bandwidth": self.roof and self.roof.bandwidth,
            "flops": self.roof and self.roof.flops,
            "evictions": dict(snapshot.evictions),
            "preemptions": snapshot.preemptions,
            "memory_bytes": snapshot.memory_bytes,
            "peak_gib": machine.peak_gib(options.device),
        }
        return said | fields


def _wait_for(engine: Engine, digests: Sequence[str]) -> None:
    """Until these adapters have left the disk, as far as there is room: the engine may copy them on its own threads."""
    wanted, before, since = set(digests), -1, time.perf_counter()
    while time.perf_counter() - since < _PATIENCE:
        on_disk = sum(info.tier == "disk" for info in engine.adapters() if info.digest in wanted)
        if not on_disk:
            return
        if on_disk != before:
            before, since = on_disk, time.perf_counter()
        time.sleep(0.2)  # asking takes the readers' time
