"""Scenarios of many requests: `table`, all at once for several numbers of voices; `rate`, so many a second.
Knows S-LoRA's settings and its limit for a first token. Knows nothing of how an engine is set up or driven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.driving import Measured, percentile
from bench.stage import Stage

SOON = 6.0
"""Seconds within which a first token has to come (S-LoRA, Sheng et al. 2023, section 7.1)."""


def table(stage: Stage) -> Iterator[dict[str, Any]]:
    """Output tokens a second by number of voices; 0 is the base alone. An engine of its own for each row."""
    for voices in stage.options.voices:
        yield _table_row(stage, voices)


def _table_row(stage: Stage, voices: int) -> dict[str, Any]:
    options = stage.options
    jobs = stage.workload(voices, options.requests, options.rate).jobs(stage.vocabulary)
    with stage.engine([options.rank] * voices, jobs, waiting=options.requests) as served:
        measured = stage.driver(served.engine).run(jobs, served.digests, options.seconds)
        asked = len({job.voice for job in jobs}) if voices else 0
        return stage.row("table", served, measured, served.engine.snapshot(), rate=options.rate, voices_asked=asked)


def rate(stage: Stage) -> Iterator[dict[str, Any]]:
    """S-LoRA's S1: requests of many voices arrive by a Poisson process for `duration` seconds, at each of `rates`.

    One engine for all rates: at the first one every adapter that is asked for lies in host memory only, later ones find
    on the device what the one before has left there. Ends when the last request has waited for `SOON` and a little.
    """
    options = stage.options
    counts = [max(1, int(rate * options.sizes.duration)) for rate in options.rates]
    highest: float | None = None
    work = [
        stage.workload(options.rate_voices, count, rate).jobs(stage.vocabulary)
        for rate, count in zip(options.rates, counts, strict=True)
    ]
    every = [job for jobs in work for job in jobs]
    with stage.engine([options.rank] * options.rate_voices, every, waiting=max(counts)) as served:
        for rate, count, jobs in zip(options.rates, counts, work, strict=True):
            end = jobs[-1].arrival + SOON + 0.5
            measured = stage.driver(served.engine).run(jobs, served.digests, end)
            fields = soon(measured, count)
            if fields["within_6_s"] >= 0.99:
                highest = max(highest or 0.0, rate)
            snapshot = served.engine.snapshot()
            own = {"rate": rate, "requests": count, "highest_rate_within_6_s": highest}
            yield stage.row("rate", served, measured, snapshot, **own, **fields)


def soon(measured: Measured, requests: int) -> dict[str, Any]:
    """How soon the first tokens came, in seconds. Who had none at the end counts with the time waited until then."""
    waits = [*measured.first.values(), *measured.unserved.values()]
    return {
        "first_token_p50_s": percentile(waits, 50),
        "first_token_p99_s": percentile(waits, 99),
        "first_token_max_s": round(max(waits), 6) if waits else None,
        "within_6_s": round(sum(wait <= SOON for wait in measured.first.values()) / requests, 5),
        "unserved": len(measured.unserved),
    }
