"""Serving speed of the engine, in this process: `python -m bench.serving --shape llama-8b --voices 0 8 64`.
Knows how to drive the engine and what to measure. Knows nothing of HTTP; results go to bench/results/serving/."""

from __future__ import annotations

import argparse
import gc
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from bench import machine
from bench.workload import BASE_DIGEST, MODULES, SHAPES, Job, Workload, dummy_model, write_dummy_adapter
from inference.engine import Engine, EngineConfig, Request, SamplingParams

_LIMITS = ("max_running", "max_adapters", "adapter_bytes", "prefill_tokens", "kv_tokens")


@dataclass
class Measured:
    """What a run is made of."""

    seconds: float = 0.0
    tokens: int = 0
    finished: int = 0
    first: list[float] = field(default_factory=list)
    """Seconds from arrival to first token, by request."""
    bytes_read: int = 0
    """What all steps had to read at least."""
    between: list[float] = field(default_factory=list)
    """Seconds from one token to the next of the same request."""


def drive(engine: Engine, jobs: Sequence[Job], digests: Sequence[str], seconds: float | None) -> Measured:
    """Run all jobs, or as far as `seconds` reach."""
    done = Measured()
    last: dict[str, float] = {}
    pending = sorted(jobs, key=lambda job: job.arrival)
    start = time.perf_counter()
    submitted = 0
    while submitted < len(pending) or engine.has_work():
        now = time.perf_counter() - start
        if seconds is not None and now > seconds:
            break
        while submitted < len(pending) and pending[submitted].arrival <= now:
            job = pending[submitted]
            digest = digests[job.voice] if digests else None
            sampling = SamplingParams(temperature=0, max_tokens=job.output, ignore_eos=True)
            engine.submit(Request(id=str(submitted), prompt=job.prompt, adapter=digest, sampling=sampling))
            submitted += 1
        if not engine.has_work():
            time.sleep(max(0.0, pending[submitted].arrival - now))
            continue
        outputs = engine.step()
        done.bytes_read += engine.bytes_read()
        for output in outputs:
            assert output.error is None, output.error
            moment = time.perf_counter() - start
            if output.request_id in last:
                done.between.append(moment - last[output.request_id])
            else:
                done.first.append(moment - pending[int(output.request_id)].arrival)
            last[output.request_id] = moment
            done.tokens += len(output.token_ids)
            done.finished += output.finish_reason is not None
    done.seconds = time.perf_counter() - start
    return done


def measure(arguments: argparse.Namespace, model: PreTrainedModel, adapter: Path, voices: int) -> dict[str, Any]:
    """One row of the table: the same base model, and an engine of its own."""
    cuda = arguments.device.startswith("cuda")
    if cuda:
        gc.collect()
        torch.cuda.empty_cache()  # the engine asks how much is free
        torch.cuda.reset_peak_memory_stats()
    given = {name: value for name in _LIMITS if (value := getattr(arguments, name)) is not None}
    if cuda:
        given = _cuda_limits(adapter, voices) | given
    engine = Engine(model, None, EngineConfig(base_digest=BASE_DIGEST, max_waiting=arguments.requests, **given))
    # One file under many names: the engine cannot know, and copies each to the device for itself.
    digests = [hashlib.sha256(str(voice).encode()).hexdigest() for voice in range(voices)]
    if digests:
        read = engine.read_adapter(digests[0], adapter)
        for digest in digests:
            engine.install(replace(read, digest=digest), adapter)
    workload = Workload(
        voices=voices,
        requests=arguments.requests,
        rate=arguments.rate,
        shortest=arguments.shortest,
        longest=arguments.longest,
        seed=arguments.seed,
    )
    done = drive(engine, workload.jobs(SHAPES[arguments.shape]["vocab_size"]), digests, arguments.seconds)
    snapshot = engine.snapshot()
    engine.close()
    return {
        "engine": "idiolect",
        "shape": arguments.shape,
        "device": arguments.device,
        "dtype": arguments.dtype,
        "rank": arguments.rank,
        "modules": arguments.modules,
        "voices": voices,
        "requests": arguments.requests,
        "rate": arguments.rate,
        "limits": given,
        "finished": done.finished,
        "seconds": round(done.seconds, 3),
        "output_tokens": done.tokens,
        "output_tokens_per_s": round(done.tokens / done.seconds, 1),
        "first_token_p50_s": _percentile(done.first, 50),
        "first_token_p99_s": _percentile(done.first, 99),
        "between_tokens_p50_s": _percentile(done.between, 50),
        "between_tokens_p99_s": _percentile(done.between, 99),
        "evictions": snapshot.evictions,
        "preemptions": snapshot.preemptions,
        "floor_share": round(done.bytes_read / arguments.bandwidth / done.seconds, 3) if arguments.bandwidth else None,
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if cuda else None,
    }


def _cuda_limits(adapter: Path, voices: int) -> dict[str, int]:
    """Many sequences at a time, and all adapters on the device as far as half of its memory goes."""
    size = sum(file.stat().st_size for file in adapter.glob("*.safetensors"))
    half = torch.cuda.mem_get_info()[0] // 2
    # A little more than the files: ranks are filled up.
    needed = {"max_adapters": max(voices, 1), "adapter_bytes": max(1, min(half, voices * (size + size // 8)))}
    return {"max_running": 512, **needed}


def _percentile(values: list[float], share: int) -> float | None:
    return round(float(np.percentile(values, share)), 4) if values else None


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = {
        "voices": "voices",
        "finished": "finished",
        "seconds": "seconds",
        "output_tokens_per_s": "tokens/s",
        "first_token_p50_s": "first p50 s",
        "first_token_p99_s": "first p99 s",
        "between_tokens_p99_s": "between p99 s",
        "floor_share": "of floor",
        "peak_gib": "peak GiB",
    }
    print("  ".join(f"{title:>13}" for title in columns.values()))
    for row in rows:
        print("  ".join(f"{'-' if row[name] is None else row[name]!s:>13}" for name in columns))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="smollm2-135m")
    parser.add_argument("--voices", type=int, nargs="+", default=[0, 8], help="a row for each; 0 is the base alone")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--modules", choices=sorted(MODULES), default="all")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--rate", type=float, help="requests a second; all at once when not given")
    parser.add_argument("--shortest", type=int, default=8, help="tokens of the shortest prompt and output")
    parser.add_argument("--longest", type=int, default=512, help="one more than tokens of the longest")
    parser.add_argument("--seconds", type=float, help="stop each row after this long and report what it has reached")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--bandwidth", type=float, help="bytes a second of the memory, to tell how near the floor is")
    for limit in _LIMITS:
        parser.add_argument(f"--{limit.replace('_', '-')}", type=int)
    arguments = parser.parse_args()
    model = dummy_model(arguments.shape, device=arguments.device, dtype=getattr(torch, arguments.dtype))
    with tempfile.TemporaryDirectory() as folder:
        adapter = write_dummy_adapter(model, Path(folder), rank=arguments.rank, modules=arguments.modules)
        rows = [measure(arguments, model, adapter, voices) for voices in arguments.voices]
    _print_table(rows)
    print(machine.write("serving", f"{arguments.shape}-{arguments.device.replace(':', '')}", arguments.seed, rows))


if __name__ == "__main__":
    main()
