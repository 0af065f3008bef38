"""The scenarios of the serving benchmark, by name: each yields rows of results, one after another.
Knows which there are. Knows nothing of how rows are kept or printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench.scenarios.loads import cold, loading
from bench.scenarios.memory import ranks, slots
from bench.scenarios.peer import peer
from bench.scenarios.requests import rate, table
from bench.stage import Stage

SCENARIOS: dict[str, Callable[[Stage], Iterator[dict[str, Any]]]] = {
    "table": table,
    "rate": rate,
    "ranks": ranks,
    "cold": cold,
    "loading": loading,
    "slots": slots,
    "peer": peer,
}
