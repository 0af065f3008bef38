"""Memory of the engine with many registered voices on a CPU: `python -m bench.resident`.
Knows how to ask the system for a process's memory. Knows nothing of speed; results go to bench/results/serving/."""

from __future__ import annotations

import argparse
import hashlib
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil

from adapters import base_model
from bench import machine
from bench.driving import Driver
from bench.quality import KINDS, load
from bench.workload import BASE_DIGEST, Job, write_dummy_adapter
from inference.engine import Engine, EngineConfig

_PROMPT = 64
_NEW = 8


def resident() -> float:
    """MiB of this process."""
    return float(psutil.Process().memory_info().rss) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.resident", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", default=base_model.STARTER, help="name or folder of the base model")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("IDIOLECT_MODELS", "var/models")))
    parser.add_argument("--weights", choices=sorted(KINDS), default="float32")
    parser.add_argument("--voices", type=int, default=200)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--budget", type=int, default=256, help="MiB for key/value pages and adapters")
    arguments = parser.parse_args()
    model, _ = load(base_model.find(arguments.base, arguments.models).folder, arguments.weights)
    with tempfile.TemporaryDirectory() as made:
        folder = write_dummy_adapter(model, Path(made), rank=arguments.rank, modules="all")
        config = EngineConfig(
            base_digest=BASE_DIGEST,
            memory_bytes=arguments.budget * 2**20,
            max_rank=arguments.rank,
            max_waiting=arguments.voices,
            prefix_cache=False,
        )
        engine = Engine(model, None, config)
        prompt = tuple(range(1000, 1000 + _PROMPT))
        jobs = [Job(arrival=0.0, voice=voice, prompt=prompt, output=_NEW) for voice in range(arguments.voices)]
        Driver(engine).run(jobs[: config.max_running], [])  # what any request needs, with no voice
        before = resident()
        checked = engine.check_adapter("", folder)
        digests = [hashlib.sha256(str(voice).encode()).hexdigest() for voice in range(arguments.voices)]
        for digest in digests:
            engine.register(replace(checked, digest=digest))
        registered = resident()
        highest = [registered]
        started = time.perf_counter()
        done = Driver(engine, after_step=lambda: highest.append(resident())).run(jobs, digests)
        row = {
            "engine": "idiolect",
            "scenario": "resident",
            "weights": arguments.weights,
            "shape": Path(arguments.base).name,
            "device": "cpu",
            "rank": arguments.rank,
            "modules": "all",
            "voices": arguments.voices,
            "requests": len(jobs),
            "rate": None,
            **done.fields(floors=False),
            "budget_mib": arguments.budget,
            "all_adapters_mib": round(sum(info.bytes for info in engine.adapters()) / 2**20),
            "resident_before_mib": round(before),
            "registering_mib": round(registered - before, 1),
            "serving_mib": round(max(highest) - registered, 1),
            "grown_mib": round(max(highest) - before, 1),
            "evictions": dict(engine.snapshot().evictions),
        }
        engine.close()
    print(
        f"{len(jobs)} voices of {row['all_adapters_mib']} MiB in a budget of {arguments.budget} MiB: "
        f"+{row['registering_mib']} MiB registered, +{row['grown_mib']} MiB after serving each of them "
        f"({time.perf_counter() - started:.0f} s)"
    )
    print(machine.write("serving", f"resident-{Path(arguments.base).name}-cpu", 0, [row]))


if __name__ == "__main__":
    main()
