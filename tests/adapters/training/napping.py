"""A trainer's process like the real one in everything but the training: its steps are naps.
Knows the protocol's events and checkpoints. Knows nothing of models, so it starts in no time."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.store import CONFIG, MANIFEST, WEIGHTS
from adapters.training import child
from adapters.training.assessment import Assessment
from adapters.training.job import Job

STEPS_AN_EPOCH = 10
STEPS_A_CHECKPOINT = 5
BASE = 1.25


@dataclass
class Napper:
    """One job and how far it is."""

    job: Job
    step: int = 0

    @property
    def steps(self) -> int:
        return int(self.job.spec["recipe"]["epochs"] * STEPS_AN_EPOCH)

    @property
    def bits(self) -> float:
        return BASE - 0.1 * self.step / self.steps

    @property
    def checkpoint(self) -> Path | None:
        return Path(self.job.spec["checkpoint"]) if self.job.spec.get("checkpoint") else None

    def save(self) -> None:
        if self.checkpoint:
            self.checkpoint.mkdir(parents=True, exist_ok=True)
            (self.checkpoint / "scratch").write_text(json.dumps(self.step))
            (self.checkpoint / "scratch").rename(self.checkpoint / "state")
            self.job.tell("checkpoint", step=self.step)

    def begin(self) -> None:
        posts = len(self.job.spec["posts"])
        self.job.tell(
            "prepared",
            train_posts=posts - 2,
            held_out_posts=2,
            train_tokens=900 * posts,
            held_out_tokens=200,
            steps=self.steps,
            data_hash="d",
            pid=os.getpid(),
        )
        if self.checkpoint and (self.checkpoint / "state").exists():
            self.step = json.loads((self.checkpoint / "state").read_text())
            self.job.tell("resumed", step=self.step, steps=self.steps)
        else:
            self.job.tell("baseline", bits_per_byte=BASE)

    def go_on(self) -> None:
        self.step += 1
        rates = {"learning_rate": 1e-3, "tokens_per_second": 100.0, "eta_seconds": float(self.steps - self.step)}
        self.job.tell("step", step=self.step, steps=self.steps, loss=3 - self.step / self.steps, **rates)
        if self.step % STEPS_A_CHECKPOINT == 0:
            measured = {"bits_per_byte": self.bits, "best": True, "train_loss": 2.5, "learning_rate": 1e-3}
            self.job.tell("evaluation", step=self.step, **measured)
            for brief in self.job.spec.get("sample_briefs", []):
                self.job.tell("sample", step=self.step, brief=brief, text=f"After {self.step} steps: {brief}")
            self.save()

    def finish(self) -> None:
        out = Path(self.job.spec["out"])
        metrics = {"bits_per_byte": self.bits, "base_bits_per_byte": BASE, "train_seconds": 1.0}
        manifest = {"base_model": {"name": "naps", "digest": "b" * 64}, "metrics": metrics}
        for name, content in [(WEIGHTS, out.name), (CONFIG, "{}"), (MANIFEST, json.dumps(manifest))]:
            (out / name).write_text(content)
        said = {"folder": str(out), "bits_per_byte": self.bits, "base_bits_per_byte": BASE, "rank": 4, "bytes": 7}
        found = Assessment(base_bits=BASE, voice_bits=self.bits).as_dict()
        self.job.end("saved", **said, assessment=found, manifest=manifest)


class Workshop:
    """As `adapters.training.workshop` has it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.nap = float(os.environ.get("NAP_SECONDS", "0.02"))
        self.inside: list[tuple[Napper, Callable[[], bool]]] = []

    @property
    def busy(self) -> bool:
        return bool(self.inside)

    def take(self, job: Job, leaving: Callable[[], bool]) -> None:
        if job.begin_training():
            napper = Napper(job)
            napper.begin()
            self.inside.append((napper, leaving))

    def step(self) -> None:
        time.sleep(self.nap)
        for entry in list(self.inside):
            napper, leaving = entry
            if os.environ.get("NAP_DEAF") != napper.job.spec["voice"] and (napper.job.stop.is_set() or leaving()):
                napper.save()
                napper.job.end("cancelled", step=napper.step)
            elif os.environ.get("NAP_CRASH_AT") == str(napper.step):
                raise RuntimeError("a fault that is nobody's own")
            else:
                napper.go_on()
                if napper.step >= napper.steps:
                    napper.finish()
            if napper.job.ended:
                self.inside.remove(entry)


def main(arguments: list[str] | None = None) -> None:
    """Serve jobs as `adapters.training.child` does."""
    opened: Any = Workshop
    child.main(arguments, opened)


if __name__ == "__main__":
    main()
