"""Training speed beside a plain PEFT loop: `python -m bench.training --shape smollm2-135m --device cpu`.
Knows both loops and what to measure. Knows nothing of text; results go to bench/results/training/."""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from adapters import base_model
from adapters.training import lora, precision
from adapters.training.layout import TARGETS
from adapters.training.learner import Learner, Lesson
from adapters.training.recipe import Recipe
from bench import machine
from bench.workload import SHAPES, dummy_model

TRAINERS = ("peft", "idiolect")
WARM_UP = 2
# A blog author's job: 40 windows of 512 tokens, read three times.
VOICE_WINDOWS, VOICE_EPOCHS = 40, 3


class Job(NamedTuple):
    """One adapter, or several together."""

    step: Callable[[list[list[list[int]]]], float]
    """Learns from each adapter's rows of token ids and returns the mean loss."""
    save: Callable[[Path], None]
    """Ends it and writes the files."""


Start = Callable[[int], Job]
"""Begins the training of so many adapters together."""


@contextmanager
def plain_peft(model: Any, arguments: argparse.Namespace) -> Iterator[Start]:
    """The loop that everybody writes first; the model and its compiled kernels stay warm between jobs."""
    from peft import LoraConfig, get_peft_model

    def start(jobs: int) -> Job:
        assert jobs == 1, "PEFT trains one adapter at a time"
        peft = get_peft_model(model, LoraConfig(r=arguments.rank, lora_alpha=32, target_modules=list(TARGETS)))
        if arguments.checkpointing:
            peft.enable_input_require_grads()
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        peft.train()
        optimizer = torch.optim.AdamW(
            [parameter for parameter in peft.parameters() if parameter.requires_grad], lr=2e-4
        )

        def step(rows: list[list[list[int]]]) -> float:
            ids = torch.tensor(rows[0], device=model.device)  # (batch, seq)
            loss = peft(input_ids=ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return float(loss.detach())

        def save(folder: Path) -> None:
            peft.save_pretrained(folder)
            peft.unload()

        return Job(step, save)

    yield start


@contextmanager
def idiolect(model: Any, arguments: argparse.Namespace) -> Iterator[Start]:
    """Ours: the same rows and labels through the trainer's own step."""
    limit = None if arguments.memory_gib is None else int(arguments.memory_gib * 2**30)
    learner = Learner(model, memory_bytes=limit)

    def start(jobs: int) -> Job:
        recipe = Recipe(rank=arguments.rank, dropout=0.0)
        adapters = [learner.new_adapter(recipe) for _ in range(jobs)]
        made = 0

        def step(rows: list[list[list[int]]]) -> float:
            nonlocal made
            made += 1
            lessons = [
                Lesson(adapter=adapter, rows=[(row, row) for row in some], learning_rate=2e-4, step=made)
                for adapter, some in zip(adapters, rows, strict=True)
            ]
            return sum(learner.step(lessons)) / jobs

        def save(folder: Path) -> None:
            for number, adapter in enumerate(adapters):
                lora.save(adapter.weights(), recipe, folder / str(number), base_name="dummy", dtype=model.dtype)

        return Job(step, save)

    yield start
    learner.close()


def measure(arguments: argparse.Namespace, trainer: str) -> dict[str, Any]:
    """One row of the table, in a process of its own so that its peak of memory is its own too."""
    if arguments.base:
        model: Any = base_model.load(Path(arguments.base), device=arguments.device, dtype=arguments.dtype)[0]
    else:
        model = dummy_model(arguments.shape, device=arguments.device, dtype=_dtype(arguments, trainer))
    if arguments.nf4:
        into_four_bits(model)
        machine.reset_peak(arguments.device)
    rows = _Rows(arguments.seed, model.config.vocab_size, arguments.batch, arguments.seq)
    with (plain_peft if trainer == "peft" else idiolect)(model, arguments) as start:
        rate = (_whole_jobs if arguments.jobs > 1 else _steps)(arguments, trainer, start, rows)
    return {
        "trainer": trainer,
        "shape": arguments.shape,
        "base": arguments.base and Path(arguments.base).name,
        "dtype": "nf4" if arguments.nf4 else str(model.dtype).removeprefix("torch."),
        "rank": arguments.rank,
        "seq": arguments.seq,
        "batch": arguments.batch,
        "jobs": arguments.jobs,
        "tokens_per_s": round(rate, 1),
        "peak_gib": machine.peak_gib(arguments.device),
        "voices_per_hour": round(3600 * rate / (VOICE_WINDOWS * VOICE_EPOCHS * 512), 2),
    }


def _dtype(arguments: argparse.Namespace, trainer: str) -> torch.dtype:
    """What each trainer takes when nobody says: ours what suits the machine, PEFT on a CPU fp32."""
    name = precision.chosen(arguments.device, arguments.dtype)
    if trainer == "peft" and arguments.dtype == "auto" and arguments.device == "cpu":
        name = "float32"
    found: torch.dtype = getattr(torch, name)
    return found


def into_four_bits(model: Any) -> None:
    """The linear layers in NF4 with double quantization, as transformers loads them with bitsandbytes."""
    from bitsandbytes.nn import Linear4bit, Params4bit

    for layer in model.model.layers:
        for parent in (layer.self_attn, layer.mlp):
            for name, linear in list(parent.named_children()):
                if not isinstance(linear, torch.nn.Linear):
                    continue
                # Without weights of its own: drawing random ones for a large model takes minutes.
                new = Linear4bit(
                    linear.in_features,
                    linear.out_features,
                    bias=False,
                    compute_dtype=model.dtype,
                    quant_type="nf4",
                    device=torch.device("meta"),
                )
                new.weight = Params4bit(
                    linear.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True
                )
                setattr(parent, name, new.to(model.device))
    torch.cuda.empty_cache()


class _Rows:
    """Random token ids, the same for every trainer."""

    def __init__(self, seed: int, vocabulary: int, batch: int, seq: int) -> None:
        self._chance = random.Random(seed)
        self._words = range(10, vocabulary - 10)
        self.batch, self.seq = batch, seq

    def draw(self, jobs: int) -> list[list[list[int]]]:
        return [[self._chance.choices(self._words, k=self.seq) for _ in range(self.batch)] for _ in range(jobs)]


def _steps(arguments: argparse.Namespace, trainer: str, start: Start, rows: _Rows) -> float:
    """Tokens a second of the median step."""
    job = start(1)
    seconds = []
    for _ in range(WARM_UP + arguments.steps):
        drawn = rows.draw(1)
        began = time.perf_counter()
        job.step(drawn)
        _wait(arguments.device)
        seconds.append(time.perf_counter() - began)
    tokens: int = arguments.batch * arguments.seq
    return tokens / statistics.median(seconds[WARM_UP:])


def _whole_jobs(arguments: argparse.Namespace, trainer: str, start: Start, rows: _Rows) -> float:
    """Tokens a second of some authors' whole jobs, from the queue to saved adapters, on a warm base model."""
    together = 1 if trainer == "peft" else arguments.jobs
    steps = VOICE_EPOCHS * VOICE_WINDOWS // arguments.batch
    with tempfile.TemporaryDirectory() as folder:
        warm = start(together)
        for _ in range(WARM_UP):
            warm.step(rows.draw(together))
        warm.save(Path(folder) / "warm")
        drawn = [rows.draw(together) for _ in range(steps)]
        # One after another, all jobs are alike: as many as the time allows stand for the rest.
        rounds = 1 if together > 1 else min(arguments.jobs, arguments.peft_jobs)
        _wait(arguments.device)
        began = time.perf_counter()
        for number in range(rounds):
            job = start(together)
            for some in drawn:
                job.step(some)
            job.save(Path(folder) / str(number))
        _wait(arguments.device)
        seconds = time.perf_counter() - began
    tokens: int = rounds * together * steps * arguments.batch * arguments.seq
    return tokens / seconds


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def main() -> None:
    """Measure the trainers one after another, print a table, write the file."""
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="smollm2-135m", help="dummy weights of this shape")
    parser.add_argument("--base", help="folder of a real base model, instead of dummy weights")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--seq", type=int, default=512)
    parser.add_argument("--batch", type=int, default=2, help="rows of one job in a step")
    parser.add_argument(
        "--jobs", type=int, default=1, help="whole jobs of as many authors; ours together, PEFT's in turn"
    )
    parser.add_argument(
        "--peft-jobs", type=int, default=2, help="so many of them are measured with PEFT, all being alike"
    )
    parser.add_argument("--dtype", default="auto", help="of the base model; auto is what each trainer takes")
    parser.add_argument("--nf4", action="store_true", help="the base model's linear layers in 4 bits, by bitsandbytes")
    parser.add_argument("--memory-gib", type=float, help="what our trainer may hold of the GPU")
    parser.add_argument("--checkpointing", action="store_true", help="PEFT computes every layer twice")
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
