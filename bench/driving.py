"""Driving an engine through a workload: submits requests when they are due and notes when their tokens come.
Knows the engine's public methods, a clock and what a step costs at least. Knows nothing of models or scenarios."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from bench.workload import Job
from inference.engine import Output, Request, SamplingParams


class Driven(Protocol):
    """What is needed of an engine."""

    def submit(self, request: Request) -> None: ...
    def has_work(self) -> bool: ...
    def step(self) -> list[Output]: ...
    def cancel(self, request_id: str) -> bool: ...
    def bytes_read(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Roof:
    """What the machine can do at most, and so the floor: the least time in which a step can be done.

    A step reads weights, each adapter that runs and the cache of all who run once (`Engine.bytes_read`), and multiplies
    every token with the blocks' weights and every written one with the head's. Activations and attention's products
    are left out, so no engine comes below the floor.
    """

    bandwidth: float
    """Bytes a second from the memory that holds the weights."""
    flops: float
    """Floating-point operations a second of large matrix products in the model's dtype."""
    block_parameters: int
    """Of the linear layers that every token passes."""
    head_parameters: int
    """Of the one that only tokens pass behind which another is written."""

    def byte_seconds(self, read: int) -> float:
        return read / self.bandwidth

    def flop_seconds(self, processed: int, written: int) -> float:
        return 2 * (self.block_parameters * processed + self.head_parameters * written) / self.flops


@dataclass
class Measured:
    """What a run is made of."""

    seconds: float = 0.0
    tokens: int = 0
    """Written ones."""
    finished: int = 0
    """Requests that were answered to the end."""
    first: dict[str, float] = field(default_factory=dict)
    """Request -> seconds from its arrival to its first token."""
    unserved: dict[str, float] = field(default_factory=dict)
    """Request that had no token when the run was stopped -> seconds that it had waited by then."""
    between: list[float] = field(default_factory=list)
    """Seconds from one token to the next of the same request."""
    floor_bytes_s: float = 0.0
    """Seconds that reading takes at least, over all steps; 0 without a roof, as the next two."""
    floor_flops_s: float = 0.0
    """Seconds that multiplying takes at least."""
    floor_s: float = 0.0
    """The larger of the two in each step, summed up."""

    def fields(self, *, floors: bool) -> dict[str, Any]:
        """The columns of a result file that come from timing; a share is 1.0 when nothing could be faster."""
        first = list(self.first.values())
        return {
            "finished": self.finished,
            "seconds": round(self.seconds, 6),
            "output_tokens": self.tokens,
            "output_tokens_per_s": round(self.tokens / self.seconds, 1),
            "first_token_p50_s": percentile(first, 50),
            "first_token_p99_s": percentile(first, 99),
            "between_tokens_p50_s": percentile(self.between, 50),
            "between_tokens_p99_s": percentile(self.between, 99),
            "floor_share": round(self.floor_bytes_s / self.seconds, 3) if floors else None,
            "flop_floor_share": round(self.floor_flops_s / self.seconds, 3) if floors else None,
            "larger_floor_share": round(self.floor_s / self.seconds, 3) if floors else None,
        }


class Driver:
    """Drives one engine; time starts at 0 when it is made.

    `ahead`: the engine hands out the tokens of the step before the last one that it began, as it does on CUDA.
    """

    def __init__(
        self,
        engine: Driven,
        *,
        roof: Roof | None = None,
        ahead: bool = False,
        after_step: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.measured = Measured()
        self._engine = engine
        self._roof = roof
        self._ahead = ahead
        self._after_step = after_step
        self._clock = clock
        self._sleep = sleep
        self._start = clock()
        self._arrivals: dict[str, float] = {}
        self._prompts: dict[str, int] = {}
        self._last: dict[str, float] = {}
        self._idle_bytes = engine.bytes_read()
        self._read_before = 0

    def now(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    def submit(self, job: Job, digest: str | None, arrival: float | None = None) -> str:
        """Ask for a job, which counts as arrived now unless told; returns the request's id."""
        name = str(len(self._arrivals))
        self._arrivals[name] = self.now() if arrival is None else arrival
        self._prompts[name] = len(job.prompt)
        sampling = SamplingParams(temperature=0, max_tokens=job.output, ignore_eos=True)
        self._engine.submit(Request(id=name, prompt=job.prompt, adapter=digest, sampling=sampling))
        return name

    def step(self) -> list[Output]:
        """One step of the engine, taken into the measures."""
        outputs = self._engine.step()
        moment = self.now()
        processed = written = 0
        for output in outputs:
            assert output.error is None, output.error
            name = output.request_id
            written += len(output.token_ids)
            if name in self._last:
                self.measured.between.append(moment - self._last[name])
                processed += len(output.token_ids)
            elif output.token_ids:
                self.measured.first[name] = moment - self._arrivals[name]
                processed += self._prompts[name]  # in one go, though a long prompt is read over several steps
            if output.token_ids:
                self._last[name] = moment
            self.measured.finished += output.finish_reason is not None
        self.measured.tokens += written
        self.measured.seconds = moment
        self._add_floor(processed, written)
        self._after_step()
        return outputs

    def run(self, jobs: Sequence[Job], digests: Sequence[str], seconds: float | None = None) -> Measured:
        """All jobs, each at its time of arrival, or as far as `seconds` reach. No digests: the base model alone."""
        pending = sorted(jobs, key=lambda job: job.arrival)
        submitted = 0
        while submitted < len(pending) or self._engine.has_work():
            now = self.now()
            if seconds is not None and now > seconds:
                break
            while submitted < len(pending) and pending[submitted].arrival <= now:
                job = pending[submitted]
                self.submit(job, digests[job.voice] if digests else None, job.arrival)
                submitted += 1
            if self._engine.has_work():
                self.step()
            else:
                self._sleep(max(0.0, pending[submitted].arrival - now))
        end = self.measured.seconds = self.now()
        waiting = self._arrivals.keys() - self.measured.first.keys()
        self.measured.unserved = {name: end - self._arrivals[name] for name in waiting}
        self.drop()
        return self.measured

    def drop(self) -> None:
        """Cancel what has not ended."""
        for name in self._arrivals:
            self._engine.cancel(name)

    def first_token(self, job: Job, digest: str | None) -> float:
        """Ask for one job alone and run it to its end; seconds until its first token."""
        name = self.submit(job, digest)
        while self._engine.has_work():
            self.step()
        return self.measured.first[name]

    def _add_floor(self, processed: int, written: int) -> None:
        if self._roof is None:
            return
        read = self._engine.bytes_read()
        if read <= self._idle_bytes:
            read = 0  # nobody runs: a step that only handed out tokens, or waited for an adapter
        # Beside the tokens of one step belongs what the same step has read.
        of_these = self._read_before if self._ahead else read
        self._read_before = read
        by_bytes, by_flops = self._roof.byte_seconds(of_these), self._roof.flop_seconds(processed, written)
        self.measured.floor_bytes_s += by_bytes
        self.measured.floor_flops_s += by_flops
        self.measured.floor_s += max(by_bytes, by_flops)


def percentile(values: Sequence[float], share: float) -> float | None:
    return round(float(np.percentile(values, share)), 6) if values else None
