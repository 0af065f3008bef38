"""Voices of the style benchmark: what they are trained on, and what there is to tell of it.
Knows the trainer. Knows nothing of authors' parts, prompts or judges."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.training import dataset
from adapters.training.dataset import Post
from adapters.training.prompts import answer_ids
from adapters.training.recipe import Recipe, recipe_for
from adapters.training.stopping import never
from adapters.training.trainer import Trained, Trainer, Training

TRAINED = "trained.json"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One voice to train."""

    name: str
    """What it is called in the results, and its folder."""
    posts: Sequence[Post]
    """Part A of its author, or some of it."""
    seed: int
    """Of the recipe."""
    share: float | None = None
    """Recipe.continuation_share; None leaves the default."""

    def recipe(self, tokens: int, parameters: int) -> Recipe:
        """The site's own for so much writing."""
        values: dict[str, Any] = recipe_for(tokens, parameters).as_dict() | {"seed": self.seed}
        if self.share is not None:
            values["continuation_share"] = self.share
        return Recipe.from_dict(values)


def train_voices(
    model: Any, tokenizer: Any, jobs: Sequence[Job], folder: Path, at_once: int, until: float
) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Train `jobs` side by side, so many at once, each into a folder of its own unless it is there already.

    Yields what there is to tell of each, as it ends. None begins after `until` (time.monotonic()).
    """
    waiting = []
    for job in jobs:
        if (told := folder / job.name / TRAINED).exists():
            yield job, json.loads(told.read_text())
        else:
            waiting.append(job)
    trainer = Trainer(model, tokenizer)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    running: dict[Path, Job] = {}
    try:
        while trainer.busy or (waiting and time.monotonic() < until):
            while waiting and len(running) < at_once and time.monotonic() < until:
                job = waiting.pop(0)
                running[folder / job.name] = job
                trainer.add(_training(tokenizer, job, folder / job.name, parameters))
            for ended in trainer.step():
                if isinstance(ended.result, Exception):
                    raise ended.result
                found = _told(ended.training, ended.result, running[ended.training.out])
                (ended.training.out / TRAINED).write_text(json.dumps(found))
                yield running.pop(ended.training.out), found
    finally:
        trainer.close()


def _training(tokenizer: Any, job: Job, out: Path, parameters: int) -> Training:
    recipe = job.recipe(sum(len(answer_ids(tokenizer, post.text)) for post in job.posts), parameters)
    data = dataset.build(job.posts, tokenizer, recipe)
    shutil.rmtree(out, ignore_errors=True)
    return Training(data=data, recipe=recipe, on_event=lambda _: None, should_stop=never, out=out)


def _told(training: Training, made: Trained, job: Job) -> dict[str, Any]:
    data = training.data
    return {
        "voice": job.name,
        "train_posts": len(data.train),
        "train_tokens": data.train_tokens,
        "windows": len(data.windows),
        "data_hash": data.hash,
        "recipe": training.recipe.as_dict(),
        "step": made.step,
        "steps": made.steps,
        "base_bits_per_byte": made.base_bits_per_byte,
        "bits_per_byte": made.bits_per_byte,
        "seconds": round(made.seconds, 1),
    }
