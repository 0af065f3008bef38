"""What the engine's snapshot says to Prometheus: requests, memory, tiers of adapters.
Knows vLLM's names and our own. Knows nothing of when it is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from inference.engine import Snapshot
from inference.engine.types import Tier

_TIERS: tuple[Tier, ...] = ("device", "host", "disk")


class Gauges(Collector):
    """Read from a snapshot when asked, so that they cannot be out of step with the engine or with each other."""

    def __init__(self, prefix: str, own: str, model: str, adapter_tokens: Mapping[str, int]) -> None:
        self._prefix = prefix
        self._own = own
        self._model = {"model_name": model}
        self._adapter_tokens = adapter_tokens
        self.now: Snapshot | None = None

    def collect(self) -> Iterator[Metric]:
        now = self.now
        if now is None:
            return
        yield from self._requests(now)
        yield from self._cache(now)
        yield from self._adapters(now)

    def _requests(self, now: Snapshot) -> Iterator[Metric]:
        yield self._gauge("num_requests_running", "Requests that progress in each step.", now.running)
        yield self._gauge("num_requests_waiting", "Requests that wait for a place.", now.waiting)
        yield self._counter("num_preemptions", "Requests that made room and began again.", now.preemptions)
        labels = {
            "max_lora": str(now.max_running),  # no step holds more adapters than requests
            "running_lora_adapters": ",".join(sorted(now.running_adapters)),
            "waiting_lora_adapters": ",".join(sorted(now.waiting_adapters)),
        }
        name, help = f"{self._prefix}lora_requests_info", "Adapters in use; the value is the time."
        yield _family(GaugeMetricFamily(name, help, labels=[*labels]), [(labels, time.time())])

    def _cache(self, now: Snapshot) -> Iterator[Metric]:
        adapters = now.adapter_bytes.get("device", 0)
        room = now.memory_bytes - adapters
        share = now.page_bytes / room if room > 0 else 0.0
        help = "Share of the memory that adapters leave which running requests fill; 1 is all of it."
        yield self._gauge("kv_cache_usage_perc", help, share)
        yield self._counter("prefix_cache_queries", "Prompt tokens looked for in the prefix cache.", now.prefix_queries)
        yield self._counter("prefix_cache_hits", "Prompt tokens found in the prefix cache.", now.prefix_hits)
        uses = {"pages": now.page_bytes, "prefix": now.prefix_bytes, "adapters": adapters}
        uses["free"] = max(0, now.memory_bytes - sum(uses.values()))
        help = "The engine's budget on the device, by what holds it."
        family = GaugeMetricFamily(f"{self._own}memory_bytes", help, labels=["use"])
        yield _family(family, [({"use": use}, size) for use, size in uses.items()])

    def _adapters(self, now: Snapshot) -> Iterator[Metric]:
        counts = dict.fromkeys(_TIERS, 0)
        for adapter in now.adapters:
            counts[adapter.tier] += 1
        yield self._by_tier("adapters", "Adapters, by the fastest memory that holds them.", counts)
        yield self._by_tier("adapter_bytes", "Bytes of adapters held in each tier.", now.adapter_bytes)
        evicted = CounterMetricFamily(
            f"{self._own}adapter_evictions", "Adapters that made room for others in a tier.", labels=["tier"]
        )
        yield _family(evicted, [({"tier": tier}, now.evictions.get(tier, 0)) for tier in _TIERS[:2]])
        written = CounterMetricFamily(
            f"{self._own}adapter_tokens", "Tokens that each registered adapter wrote.", labels=["adapter"]
        )
        yield _family(written, [({"adapter": digest}, count) for digest, count in self._adapter_tokens.items()])

    def _by_tier(self, name: str, help: str, values: Mapping[Tier, int]) -> Metric:
        family = GaugeMetricFamily(f"{self._own}{name}", help, labels=["tier"])
        return _family(family, [({"tier": tier}, values.get(tier, 0)) for tier in _TIERS])

    def _gauge(self, name: str, help: str, value: float) -> Metric:
        return _family(GaugeMetricFamily(f"{self._prefix}{name}", help, labels=[*self._model]), [(self._model, value)])

    def _counter(self, name: str, help: str, value: float) -> Metric:
        return _family(
            CounterMetricFamily(f"{self._prefix}{name}", help, labels=[*self._model]), [(self._model, value)]
        )


def _family(
    family: GaugeMetricFamily | CounterMetricFamily, values: list[tuple[dict[str, str], float]]
) -> GaugeMetricFamily | CounterMetricFamily:
    for labels, value in values:
        family.add_metric([*labels.values()], value)
    return family
