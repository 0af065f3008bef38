"""Scenarios of little memory: `ranks`, what adapters of different ranks take of it; `slots`, more voices than fit.
Knows how much memory to give. Knows nothing of how an engine is set up or driven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bench.stage import Stage
from bench.workload import Job

RANKS = (8, 16, 32, 64)
_ALLOWED = 1.05
"""Times the adapters' own bytes that the device may spend on them."""
_PAGES = 64
"""Tokens of key/value cache beside that: a request has to run, or nothing is loaded."""
_SHORT = 64
"""One more than tokens of the longest prompt and output of `slots`: their cache must be little beside an adapter, or
adapters would find room where it is not used at the moment."""


def ranks(stage: Stage) -> Iterator[dict[str, Any]]:
    """Memory that adapters of mixed ranks take on the device, over their own bytes.

    Told in two ways: by what the engine says, and by giving it no more than 1.05 times those bytes, asking for each
    adapter once, and counting those that had to make room. When none had to, all were there at the same time.
    """
    options = stage.options
    drawn = np.random.default_rng(options.seed).choice(RANKS, options.sizes.ranks_voices).tolist()
    real = sum(stage.adapter_bytes(rank) for rank in drawn)
    memory = int(real * _ALLOWED) + _PAGES * stage.token_bytes
    # Nothing is held on the device before it is asked for, so that all come the same way.
    limits = {"max_running": 8, "memory_bytes": memory}
    with stage.engine(drawn, waiting=1, cold=len(drawn), prefix_cache=False, **limits) as served:
        driver = stage.driver(served.engine)
        for digest in served.digests:
            driver.first_token(Job(arrival=0.0, voice=0, prompt=(1,), output=1), digest)
        snapshot = served.engine.snapshot()
        held = snapshot.adapter_bytes["device"]
        yield stage.row(
            "ranks",
            served,
            driver.measured,
            snapshot,
            rank=list(RANKS),
            requests=len(drawn),
            adapters_bytes=real,
            device_bytes=held,
            device_ratio=round(held / real, 4),
            resident=sum(adapter.tier == "device" for adapter in snapshot.adapters),
            all_fit_into_ratio=_ALLOWED if not snapshot.evictions["device"] else None,
        )


def slots(stage: Stage) -> Iterator[dict[str, Any]]:
    """First tokens of twice as many active voices as there is room for, over those of as many, at the same rate.

    The memory for both is what `slots_room` adapters take, and what the cache of that many voices' requests took at
    most when there was plenty.
    """
    room, rank = stage.options.sizes.slots_room, stage.options.rank
    plenty = _slots_row(stage, room, None)
    # An adapter begins and ends at a page's bound.
    each = stage.adapter_bytes(rank) + 16 * stage.token_bytes
    memory = plenty["peak_page_bytes"] + room * each
    fitting = _slots_row(stage, room, memory)
    yield fitting
    crowded = _slots_row(stage, 2 * room, memory)
    ratio = crowded["first_token_p50_s"] / fitting["first_token_p50_s"]
    yield {**crowded, "first_token_p50_ratio": round(ratio, 3)}


def _slots_row(stage: Stage, voices: int, memory: int | None) -> dict[str, Any]:
    options = stage.options
    given = {"max_running": 64} if memory is None else {"max_running": 64, "memory_bytes": memory}
    requests = options.sizes.slots_requests
    longest = min(options.longest, _SHORT)
    jobs = stage.workload(voices, requests, options.slots_rate, longest).jobs(stage.vocabulary)
    pages, resident = [0], [0]

    def look() -> None:
        snapshot = served.engine.snapshot()
        pages.append(snapshot.page_bytes)
        resident.append(sum(adapter.tier == "device" for adapter in snapshot.adapters))

    with stage.engine([options.rank] * voices, waiting=requests, cold=voices, **given) as served:
        measured = stage.driver(served.engine, look).run(jobs, served.digests)
        return stage.row(
            "slots",
            served,
            measured,
            served.engine.snapshot(),
            requests=requests,
            rate=options.slots_rate,
            room=options.sizes.slots_room,
            adapter_bytes=stage.adapter_bytes(options.rank),
            peak_page_bytes=max(pages),
            most_resident=max(resident),
        )
