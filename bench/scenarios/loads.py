"""Scenarios of adapters that are asked for while they are not on the device: `cold`, on an idle engine; `loading`,
beside others. Knows what "cold" means on each device. Knows nothing of how an engine is set up or driven."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from bench.driving import Driver, Measured, percentile
from bench.stage import Stage
from bench.workload import Job
from inference.engine import Snapshot

_UNCOUNTED = 2
"""Cold adapters asked for before anything counts: the first kernels of a shape are compiled then."""
_SETTLING = 20
"""Steps after the last of many prompts, before anything counts."""
_PROMPT = 32
"""Tokens of a prompt where its length matters little."""


def cold(stage: Stage) -> Iterator[dict[str, Any]]:
    """How much later the first token comes when the adapter is not on the device: each is asked for twice in a row.

    Every adapter is another one, so nothing has to be evicted in between. Without the prefix cache, or the second
    request would find its prompt already read.
    """
    options = stage.options
    count = _UNCOUNTED + options.sizes.repeats
    job = _job(stage, _PROMPT, 1)
    adapters = [options.rank] * count
    with stage.engine(adapters, waiting=1, cold=count, prefix_cache=False, max_running=8) as served:
        tier = _tier(served.engine.snapshot(), served.digests)
        for digest in served.digests[:_UNCOUNTED]:
            _twice(stage.driver(served.engine), job, digest)
        driver = stage.driver(served.engine)
        pairs = [_twice(driver, job, digest) for digest in served.digests[_UNCOUNTED:]]
        own = {"voices": len(pairs), "requests": 2 * len(pairs), "cold_tier": tier, **added(pairs)}
        bytes_each = stage.adapter_bytes(options.rank)
        yield stage.row("cold", served, driver.measured, served.engine.snapshot(), adapter_bytes=bytes_each, **own)


def added(pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """(cold, warm) seconds to the first token -> their medians, and the median difference in milliseconds."""
    return {
        "first_token_cold_s": round(statistics.median(cold for cold, _ in pairs), 6),
        "first_token_warm_s": round(statistics.median(warm for _, warm in pairs), 6),
        "cold_adds_ms": round(1000 * statistics.median(cold - warm for cold, warm in pairs), 3),
    }


def loading(stage: Stage) -> Iterator[dict[str, Any]]:
    """What those who write notice of others' cold adapters: `steady` requests write all the while, and then `loaded`
    cold adapters are asked for, one as soon as the one before has written its only token."""
    options, sizes = stage.options, stage.options.sizes
    cold = _UNCOUNTED + sizes.loaded
    ranks = [options.rank] * (sizes.steady_voices + cold)
    limits = {"max_running": sizes.steady + 8}
    with stage.engine(ranks, waiting=sizes.steady, cold=cold, prefix_cache=False, **limits) as served:
        engine, steady = served.engine, served.digests[: sizes.steady_voices]
        unread = served.digests[sizes.steady_voices :]
        tier = _tier(engine.snapshot(), unread)
        driver = stage.driver(engine)
        long = _job(stage, _PROMPT, engine.context - _PROMPT)
        names = [driver.submit(long, steady[number % len(steady)]) for number in range(sizes.steady)]
        while len(driver.measured.first) < len(names):
            driver.step()
        asked = _job(stage, 1, 1)
        for digest in unread[:_UNCOUNTED]:
            _until_first(driver, asked, digest)
        for _ in range(_SETTLING):
            driver.step()
        begun = len(driver.measured.between)
        for _ in range(sizes.steady_steps):
            driver.step()
        before = driver.measured.between[begun:]
        begun = len(driver.measured.between)
        waits = [_until_first(driver, asked, digest) for digest in unread[_UNCOUNTED:]]
        during = driver.measured.between[begun:]
        lasted = driver.measured.finished == cold
        driver.drop()
        yield stage.row(
            "loading",
            served,
            Measured(**{**vars(driver.measured), "between": during}),
            engine.snapshot(),
            voices=sizes.steady_voices,
            requests=sizes.steady,
            cold_tier=tier,
            adapter_bytes=stage.adapter_bytes(options.rank),
            loaded=sizes.loaded,
            loaded_first_token_p50_s=percentile(waits, 50),
            loaded_first_token_p99_s=percentile(waits, 99),
            all_wrote_throughout=lasted,
            **slowed(before, during),
        )


def slowed(before: Sequence[float], during: Sequence[float]) -> dict[str, Any]:
    """Seconds between tokens before and during -> their 99th percentiles, and how many times longer it became."""
    usual, loaded = (float(np.percentile(gaps, 99)) for gaps in (before, during))
    return {
        "before_p99_s": round(usual, 6),
        "during_p99_s": round(loaded, 6),
        "during_max_s": round(max(during), 6),
        "p99_ratio": round(loaded / usual, 3),
    }


def _twice(driver: Driver, job: Job, digest: str) -> tuple[float, float]:
    return driver.first_token(job, digest), driver.first_token(job, digest)


def _until_first(driver: Driver, job: Job, digest: str) -> float:
    """Seconds until the job's first token, while others go on."""
    name = driver.submit(job, digest)
    while name not in driver.measured.first:
        driver.step()
    return driver.measured.first[name]


def _job(stage: Stage, prompt: int, output: int) -> Job:
    tokens = np.random.default_rng(stage.options.seed).integers(0, stage.vocabulary, prompt)
    return Job(arrival=0.0, voice=0, prompt=tuple(tokens.tolist()), output=output)


def _tier(snapshot: Snapshot, digests: Sequence[str]) -> str:
    """Where these adapters lie; on the CPU there is nothing between the device's own memory and the disk."""
    wanted = set(digests)
    return " and ".join(sorted({adapter.tier for adapter in snapshot.adapters if adapter.digest in wanted}))
