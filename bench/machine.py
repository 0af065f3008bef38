"""Where a figure was measured: machine, versions, commit; and the file that keeps it.
Knows how to ask the system. Knows nothing of what is measured."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
_LIBRARIES = ("torch", "transformers", "peft", "safetensors", "triton", "scikit-learn")

# Part of a GPU's name -> bytes a second of a copy within its memory, and bf16 operations a second that large matrix
# products reach. Measured, not the makers' figures, which nothing reaches.
_GPUS = {"H100": (3.0e12, 650e12), "H200": (4.3e12, 650e12)}


def describe() -> dict[str, Any]:
    """`machine`, `versions`, `commit` and `time` of a result file."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "memory_gib": round(host_memory() / 2**30, 1),
            "gpus": gpus,
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version(), "cuda": torch.version.cuda, **_versions()},
        "commit": _commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


class Results:
    """A result file of its own for every run: <folder>/<name>-<time>.json, complete whenever it is saved."""

    def __init__(self, folder: Path, name: str, seed: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self._described = describe()
        self._seed = seed
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / f"{name}-{self._described['time'].replace(':', '')}.json"

    def save(self) -> None:
        """Write what the rows are now."""
        self.file.write_text(_json({**self._described, "seed": self._seed, "rows": self.rows}))


def write(kind: str, name: str, seed: int, rows: list[dict[str, Any]]) -> Path:
    """All rows at once, into bench/results/<kind>/."""
    results = Results(RESULTS / kind, name, seed)
    results.rows.extend(rows)
    results.save()
    return results.file


def write_newest(name: str, seed: int, rows: list[dict[str, Any]]) -> Path:
    """All rows at once, into bench/results/<name>.json in place of the last run's: git has those."""
    file = RESULTS / f"{name}.json"
    file.write_text(_json({**describe(), "seed": seed, "rows": rows}))
    return file


def host_memory() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def roof(device: str) -> tuple[float, float] | None:
    """Bytes and operations a second that the device reaches at best; None when nobody has measured."""
    import torch

    if not device.startswith("cuda"):
        return None
    name = torch.cuda.get_device_name(device)
    return next((figures for part, figures in _GPUS.items() if part in name), None)


def reset_peak(device: str) -> None:
    """Begin to watch for the peak of the device's memory anew; that of the CPU cannot be."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peak_gib(device: str) -> float:
    """GiB of the device's memory held at most; on the CPU by this process since it began."""
    import torch

    cuda = device.startswith("cuda")
    peak = (
        torch.cuda.max_memory_allocated(device) if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )
    return round(peak / 2**30, 2)


def _json(said: dict[str, Any]) -> str:
    return json.dumps(said, indent=1) + "\n"


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for library in _LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            found[library] = None
    return found


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str | None:
    """With "+" when the working tree differs from it; None outside of a repository."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    return subprocess.run(("git", *arguments), cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
