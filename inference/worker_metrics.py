"""What the worker tells Prometheus, under vLLM's names with a prefix of our own.
Knows counters and histograms. Knows nothing of requests beyond their times and sizes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.engine import Output, Snapshot

# Seconds. From a GPU under little load to the starter model behind a full queue on two cores.
_FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
_BETWEEN_TOKENS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
_WHOLE_REQUEST = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
_LOAD = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """One registry for one worker, so that tests can have several in a process."""

    def __init__(self, snapshot: Callable[[], Snapshot | None], *, max_adapters: int) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Gauges(snapshot, max_adapters))
        made = self._registry
        self.prompt_tokens = Counter("idiolect_prompt_tokens", "Prompt tokens read.", registry=made)
        self.generation_tokens = Counter("idiolect_generation_tokens", "Tokens written.", registry=made)
        self.finished = Counter(
            "idiolect_request_success", "Requests that ended, by reason.", ["finished_reason"], registry=made
        )
        self.first_token = self._seconds("time_to_first_token", "From request to first token.", _FIRST_TOKEN)
        self.between_tokens = self._seconds("inter_token_latency", "From one token to the next.", _BETWEEN_TOKENS)
        self.whole_request = self._seconds("e2e_request_latency", "From request to last token.", _WHOLE_REQUEST)
        self.adapter_load = self._seconds("adapter_load", "Reading an adapter from disk.", _LOAD)

    def _seconds(self, name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"idiolect_{name}_seconds", help, buckets=buckets, registry=self._registry)

    def text(self) -> bytes:
        return generate_latest(self._registry)


@contextmanager
def measured(metrics: Metrics, *, prompt_tokens: int) -> Iterator[RequestTimes]:
    """Measures one request, from its arrival to the end of the block; what has no other end was aborted."""
    times = RequestTimes(metrics, prompt_tokens=prompt_tokens)
    try:
        yield times
    finally:
        times.end()


class RequestTimes:
    """See `measured`."""

    def __init__(self, metrics: Metrics, *, prompt_tokens: int) -> None:
        self._metrics = metrics
        self._prompt_tokens = prompt_tokens
        self._start = time.perf_counter()
        self._last: float | None = None
        self._reason: str | None = "abort"

    async def watch(self, outputs: AsyncIterator[Output]) -> AsyncIterator[Output]:
        """The same outputs, each noted as it passes."""
        async for output in outputs:
            self._note(output)
            yield output

    def _note(self, output: Output) -> None:
        now = time.perf_counter()
        if output.token_ids:
            if self._last is None:
                self._metrics.prompt_tokens.inc(self._prompt_tokens)
                self._metrics.first_token.observe(now - self._start)
            else:
                self._metrics.between_tokens.observe(now - self._last)
            self._last = now
            self._metrics.generation_tokens.inc(len(output.token_ids))
        self._reason = output.finish_reason or self._reason

    def refused(self) -> None:
        """It never ran, so it does not count."""
        self._reason = None

    def end(self) -> None:
        if self._reason is None:
            return
        self._metrics.finished.labels(finished_reason=self._reason).inc()
        if self._reason != "abort":
            self._metrics.whole_request.observe(time.perf_counter() - self._start)


class _Gauges(Collector):
    """Read from the engine when asked, so they cannot be out of step with it."""

    def __init__(self, snapshot: Callable[[], Snapshot | None], max_adapters: int) -> None:
        self._snapshot = snapshot
        self._max_adapters = max_adapters

    def collect(self) -> Iterator[Metric]:
        now = self._snapshot()
        if now is None:
            return
        yield _gauge("num_requests_running", "Requests that progress in each step.", now.running)
        yield _gauge("num_requests_waiting", "Requests that wait for a place.", now.waiting)
        yield _gauge("adapters_resident", "Adapters on the device.", len(now.adapters))
        yield _gauge("adapters_resident_bytes", "Their size.", sum(adapter.bytes for adapter in now.adapters))
        yield CounterMetricFamily("idiolect_adapter_evictions", "Adapters that made room for others.", now.evictions)
        labels = {
            "max_lora": str(self._max_adapters),
            "running_lora_adapters": ",".join(sorted(now.running_adapters)),
            "waiting_lora_adapters": ",".join(sorted(now.waiting_adapters)),
        }
        info = GaugeMetricFamily("idiolect_lora_requests_info", "Adapters in use; the value is now.", labels=[*labels])
        info.add_metric([*labels.values()], time.time())
        yield info


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"idiolect_{name}", help, value=value)
