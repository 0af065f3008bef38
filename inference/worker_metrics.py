"""What the worker tells Prometheus: under vLLM's names where vLLM has them, with a prefix of our own or vLLM's.
Knows counters and histograms. Knows nothing of requests beyond their times and sizes."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from inference.engine import Output, Request, Snapshot
from inference.engine.types import Tier
from inference.worker_gauges import Gauges

OWN_PREFIX: Final = "idiolect_"
"""Of every name that vLLM has not, whatever the other names begin with."""
# Seconds. From a GPU under little load to the starter model behind a full queue on two cores.
_FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
_BETWEEN_TOKENS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
_WHOLE_REQUEST = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_LOAD = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for one worker, so that tests can have several in a process.

    `model` is the base model's name, which vLLM's dashboards choose by.
    """

    def __init__(self, *, prefix: str, model: str) -> None:
        self._prefix, self._model = prefix, model
        self._registry = CollectorRegistry()
        self.prompt_tokens = self._counter("prompt_tokens", "Prompt tokens read.")
        self.generation_tokens = self._counter("generation_tokens", "Tokens written.")
        self._finished = Counter(
            f"{prefix}request_success",
            "Requests that ended, by reason.",
            ["model_name", "finished_reason"],
            registry=self._registry,
        )
        self.queue = self._seconds("request_queue_time", "From request to the first step that it ran in.", _FIRST_TOKEN)
        self.first_token = self._seconds("time_to_first_token", "From request to first token.", _FIRST_TOKEN)
        self.between_tokens = self._seconds("inter_token_latency", "From one token to the next.", _BETWEEN_TOKENS)
        self.whole_request = self._seconds("e2e_request_latency", "From request to last token.", _WHOLE_REQUEST)
        self._adapter_load = Histogram(
            f"{OWN_PREFIX}adapter_load_seconds",
            "Bringing an adapter into a tier: from disk to the host, from the host to the device.",
            ["tier"],
            buckets=_LOAD,
            registry=self._registry,
        )
        self.adapter_tokens: Tally[str] = Tally()
        """Tokens written by each adapter."""
        self._gauges = Gauges(prefix, OWN_PREFIX, model, self.adapter_tokens)
        self._registry.register(self._gauges)

    def loaded(self, tier: Tier, seconds: float) -> None:
        """Any thread may call it."""
        self._adapter_load.labels(tier=tier).observe(seconds)

    def finished(self, reason: str) -> None:
        self._finished.labels(model_name=self._model, finished_reason=reason).inc()

    def text(self, now: Snapshot | None) -> bytes:
        """Everything as of `now`, in Prometheus' format. Adapters that have been unloaded are forgotten."""
        if now is not None:
            for digest in self.adapter_tokens.keys() - {adapter.digest for adapter in now.adapters}:
                del self.adapter_tokens[digest]
        self._gauges.now = now
        return generate_latest(self._registry)

    def _counter(self, name: str, help: str) -> Counter:
        made = Counter(f"{self._prefix}{name}", help, ["model_name"], registry=self._registry)
        return made.labels(model_name=self._model)

    def _seconds(self, name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
        full = f"{self._prefix}{name}_seconds"
        made = Histogram(full, help, ["model_name"], buckets=buckets, registry=self._registry)
        return made.labels(model_name=self._model)


@contextmanager
def measured(metrics: Metrics, requests: Sequence[Request]) -> Iterator[CallTimes]:
    """Measures a call's requests, from its arrival to the end of the block; what has no other end was aborted."""
    times = CallTimes(metrics, requests)
    try:
        yield times
    finally:
        times.end()


class CallTimes:
    """See `measured`."""

    def __init__(self, metrics: Metrics, requests: Sequence[Request]) -> None:
        self._metrics = metrics
        self._adapter = requests[0].adapter
        self._prompt_tokens = len(requests[0].prompt)
        self._start = time.perf_counter()
        self._last: dict[str, float] = {}
        self._going = {request.id for request in requests}

    async def watch(self, outputs: AsyncIterator[Output]) -> AsyncIterator[Output]:
        """The same outputs, each noted as it passes."""
        async for output in outputs:
            self._note(output)
            yield output

    def _note(self, output: Output) -> None:
        now = time.perf_counter()
        if output.queue_seconds is not None:
            self._metrics.queue.observe(output.queue_seconds)
        if output.token_ids:
            self._note_tokens(output, now)
        if output.finish_reason is not None:
            self._going.discard(output.request_id)
            self._metrics.finished(output.finish_reason)
            self._metrics.whole_request.observe(now - self._start)

    def _note_tokens(self, output: Output, now: float) -> None:
        if not self._last:
            self._metrics.prompt_tokens.inc(self._prompt_tokens)
        if (last := self._last.get(output.request_id)) is None:
            self._metrics.first_token.observe(now - self._start)
        else:
            self._metrics.between_tokens.observe(now - last)
        self._last[output.request_id] = now
        self._metrics.generation_tokens.inc(len(output.token_ids))
        if self._adapter is not None:
            self._metrics.adapter_tokens[self._adapter] += len(output.token_ids)

    def refused(self) -> None:
        """They never ran, so they do not count."""
        self._going.clear()

    def end(self) -> None:
        for _ in self._going:
            self._metrics.finished("abort")
