"""How much memory each process of a running site has used at its peak.
Knows the process tree. Knows nothing of how the processes are run."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping

import psutil

MIB = 1 << 20
# Servers that daemonize are nobody's child by name: they are known by what they are.
_SERVERS = {"postgres": "postgres", "valkey-server": "redis"}


class PeakMemory:
    """Peak resident MiB of each process and of all of them together, over the samples taken."""

    def __init__(self) -> None:
        self.peak: dict[str, float] = {}
        self.peak_total = 0.0

    def sample(self, names: Mapping[int, str]) -> None:
        """Look once. `names` are the processes known by name; their children count as `<name>-child`."""
        now = resident(names)
        for name, mib in now.items():
            self.peak[name] = max(mib, self.peak.get(name, 0.0))
        self.peak_total = max(self.peak_total, sum(now.values()))

    def figures(self) -> dict[str, object]:
        return {
            "peak_rss_mib": {name: round(mib, 1) for name, mib in sorted(self.peak.items())},
            "peak_rss_total_mib": round(self.peak_total, 1),
        }


def resident(names: Mapping[int, str]) -> dict[str, float]:
    """Resident MiB of this process ("supervisor") and everything below it, by name.

    Memory that processes of one name share (Postgres forks) is counted once.
    """
    children = defaultdict(list)
    for process in psutil.process_iter(["pid", "ppid", "name", "memory_info"]):
        children[process.info["ppid"]].append(process.info)
    private: dict[str, int] = defaultdict(int)
    shared: dict[str, int] = defaultdict(int)

    def count(name: str, memory: psutil._common.pmem | None) -> None:
        if memory is not None:  # None: it ended while we looked
            common = getattr(memory, "shared", 0)
            private[name] += memory.rss - common
            shared[name] = max(shared[name], common)

    def descend(pid: int, name: str) -> None:
        for info in children[pid]:
            if info["name"] in _SERVERS:
                own = _SERVERS[info["name"]]
            elif info["pid"] in names:
                own = names[info["pid"]]
            else:
                own = name if name.endswith("-child") else f"{name}-child"
            count(own, info["memory_info"])
            descend(info["pid"], own)

    count("supervisor", psutil.Process().memory_info())
    descend(os.getpid(), "supervisor")
    return {name: (private[name] + shared[name]) / MIB for name in private}
