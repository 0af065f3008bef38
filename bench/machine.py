"""Where a figure was measured: machine, versions, commit.
Knows how to ask the system. Knows nothing of what is measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = ("torch", "transformers", "peft", "safetensors", "triton", "scikit-learn")


def describe() -> dict[str, Any]:
    """`machine`, `versions`, `commit` and `time` of a result file."""
    import torch

    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "memory_gib": round(memory / 2**30, 1),
            "gpus": gpus,
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version(), "cuda": torch.version.cuda, **_versions()},
        "commit": _commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def write(kind: str, name: str, seed: int, rows: list[dict[str, Any]]) -> Path:
    """A result file of its own for every run: bench/results/<kind>/<name>-<time>.json."""
    described = describe()
    folder = ROOT / "bench" / "results" / kind
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{described['time'].replace(':', '')}.json"
    file.write_text(json.dumps({**described, "seed": seed, "rows": rows}, indent=1) + "\n")
    return file


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
