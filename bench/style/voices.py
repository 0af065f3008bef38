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
from adapters.training.events import Dropped, Evaluation, Event
from adapters.training.prompts import answer_ids
from adapters.training.recipe import Recipe, recipe_for
from adapters.training.stopping import never
from adapters.training.trainer import Trainer
from adapters.training.training import Trained, Training

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
    factors: tuple[float, ...] = ()
    """Recipe.rate_factors; none leave what the site tries on this device."""

    def recipe(self, tokens: int, parameters: int) -> Recipe:
        """The site's own for so much writing."""
        values: dict[str, Any] = recipe_for(tokens, parameters).as_dict() | {
            "seed": self.seed,
            "rate_factors": self.factors,
        }
        if self.share is not None:
            values["continuation_share"] = self.share
        return Recipe.from_dict(values)


class Rates:
    """What became of the learning rates of one voice."""

    def __init__(self) -> None:
        self.tried: dict[str, dict[str, Any]] = {}
        """Rate -> its best held-out bits per byte, and the step at which it left if it did not stay to the end."""

    def hear(self, event: Event) -> None:
        """Listen to a training."""
        if isinstance(event, Evaluation):
            told = self.tried.setdefault(f"{event.learning_rate:g}", {"bits_per_byte": event.bits_per_byte})
            told["bits_per_byte"] = min(told["bits_per_byte"], event.bits_per_byte)
        elif isinstance(event, Dropped):
            self.tried.setdefault(f"{event.learning_rate:g}", {"bits_per_byte": None})["left"] = event.step


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
    rates: dict[Path, Rates] = {}
    try:
        while trainer.busy or (waiting and time.monotonic() < until):
            while waiting and len(running) < at_once and time.monotonic() < until:
                job = waiting.pop(0)
                out = folder / job.name
                running[out], rates[out] = job, Rates()
                trainer.add(_training(tokenizer, job, out, parameters, rates[out]))
            for ended in trainer.step():
                if isinstance(ended.result, Exception):
                    raise ended.result
                out = ended.training.out
                found = _told(ended.training, ended.result, running[out], rates[out])
                (out / TRAINED).write_text(json.dumps(found))
                yield running.pop(out), found
    finally:
        trainer.close()


def _training(tokenizer: Any, job: Job, out: Path, parameters: int, rates: Rates) -> Training:
    recipe = job.recipe(sum(len(answer_ids(tokenizer, post.text)) for post in job.posts), parameters)
    data = dataset.build(job.posts, tokenizer, recipe)
    shutil.rmtree(out, ignore_errors=True)
    return Training(data=data, recipe=recipe, on_event=rates.hear, should_stop=never, out=out)


def _told(training: Training, made: Trained, job: Job, rates: Rates) -> dict[str, Any]:
    data = training.data
    return {
        "voice": job.name,
        "train_posts": len(data.train),
        "train_tokens": data.train_tokens,
        "windows": len(data.windows),
        "data_hash": data.hash,
        "recipe": training.recipe.as_dict(),
        "learning_rate": made.learning_rate,
        "rates": rates.tried,
        "step": made.step,
        "steps": made.steps,
        "base_bits_per_byte": made.base_bits_per_byte,
        "bits_per_byte": made.bits_per_byte,
        "seconds": round(made.seconds, 1),
    }
