"""Training speed beside a plain PEFT loop: `python -m bench.training --shape smollm2-135m --device cpu`.
Knows both loops and what to measure. Knows nothing of text; results go to bench/results/training/."""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from adapters import base_model
from adapters.training import lora
from adapters.training.learner import Learner, precision
from adapters.training.recipe import Recipe
from bench import machine
from bench.workload import SHAPES, dummy_model

TRAINERS = ("peft", "idiolect")
WARM_UP = 2
# A blog author's job: 40 windows of 512 tokens, read three times.
VOICE_TOKENS = 40 * 512 * 3

Step = Callable[[list[list[int]]], float]
"""Learns from some rows of token ids and returns the loss."""


@contextmanager
def plain_peft(model: Any, rank: int) -> Iterator[Step]:
    """The loop that everybody writes first."""
    from peft import LoraConfig, get_peft_model

    peft = get_peft_model(model, LoraConfig(r=rank, lora_alpha=32, target_modules=list(lora.TARGETS)))
    peft.train()
    optimizer = torch.optim.AdamW([parameter for parameter in peft.parameters() if parameter.requires_grad], lr=2e-4)

    def step(rows: list[list[int]]) -> float:
        ids = torch.tensor(rows, device=model.device)  # (batch, seq)
        loss = peft(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())

    yield step


@contextmanager
def idiolect(model: Any, rank: int) -> Iterator[Step]:
    """Ours: the same rows and labels through the trainer's own step."""
    with lora.attached(model, Recipe(rank=rank, dropout=0.0)) as wrapped, precision(model):
        wrapped.train()
        learner = Learner(model)
        yield lambda rows: learner.step([(row, row) for row in rows], 2e-4)


def measure(arguments: argparse.Namespace, trainer: str) -> dict[str, Any]:
    """One row of the table, in a process of its own so that its peak of memory is its own too."""
    cuda = arguments.device.startswith("cuda")
    if arguments.base:
        model: Any = base_model.load(Path(arguments.base), device=arguments.device)[0]
    else:
        dtype = torch.bfloat16 if cuda else torch.float32
        model = dummy_model(arguments.shape, device=arguments.device, dtype=dtype)
    chance = random.Random(arguments.seed)
    words = range(10, model.config.vocab_size - 10)
    seconds = []
    with (plain_peft if trainer == "peft" else idiolect)(model, arguments.rank) as step:
        for _ in range(WARM_UP + arguments.steps):
            rows = [chance.choices(words, k=arguments.seq) for _ in range(arguments.batch)]
            started = time.perf_counter()
            step(rows)
            if cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    rate = arguments.batch * arguments.seq / statistics.median(seconds[WARM_UP:])
    peak = torch.cuda.max_memory_allocated() if cuda else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "trainer": trainer,
        "shape": arguments.shape,
        "base": arguments.base and Path(arguments.base).name,
        "dtype": str(model.dtype).removeprefix("torch."),
        "rank": arguments.rank,
        "seq": arguments.seq,
        "batch": arguments.batch,
        "jobs": 1,
        "tokens_per_s": round(rate, 1),
        "peak_gib": round(peak / 2**30, 2),
        "voices_per_hour": round(3600 * rate / VOICE_TOKENS, 2),
    }


def main() -> None:
    """Measure the trainers one after another, print a table, write the file."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="smollm2-135m", help="dummy weights of this shape")
    parser.add_argument("--base", help="folder of a real base model, instead of dummy weights")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--seq", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6, help="measured steps; their median counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=list(TRAINERS))
    parser.add_argument("--row", choices=TRAINERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row:
        print(json.dumps(measure(arguments, arguments.row)))
        return
    rows = []
    for trainer in arguments.trainers:
        command = [sys.executable, "-m", "bench.training", *sys.argv[1:], "--row", trainer]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        row = rows[-1]
        print(f"{trainer:10} {row['tokens_per_s']:>10,.0f} tokens/s {row['peak_gib']:>7.2f} GiB", flush=True)
    print(machine.write("training", arguments.shape, arguments.seed, rows))


if __name__ == "__main__":
    main()
