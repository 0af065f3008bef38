"""Voices of the style benchmark: what they are trained on, and what there is to tell of it.
Knows the trainer. Knows nothing of authors' parts, prompts or judges."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.training import dataset
from adapters.training.dataset import Post
from adapters.training.prompts import answer_ids
from adapters.training.recipe import Recipe, recipe_for
from adapters.training.stopping import never
from adapters.training.trainer import train

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


def train_voice(model: Any, tokenizer: Any, job: Job, folder: Path) -> dict[str, Any]:
    """Train `job` into `folder`, unless it is there already; returns what there is to tell of it."""
    told = folder / TRAINED
    if told.exists():
        found: dict[str, Any] = json.loads(told.read_text())
        return found
    parameters = sum(parameter.numel() for parameter in model.parameters())
    recipe = job.recipe(sum(len(answer_ids(tokenizer, post.text)) for post in job.posts), parameters)
    data = dataset.build(job.posts, tokenizer, recipe)
    shutil.rmtree(folder, ignore_errors=True)
    made = train(model, tokenizer, data, recipe, lambda _: None, never, folder)
    found = {
        "voice": job.name,
        "train_posts": len(data.train),
        "train_tokens": data.train_tokens,
        "windows": len(data.windows),
        "data_hash": data.hash,
        "recipe": recipe.as_dict(),
        "step": made.step,
        "steps": made.steps,
        "base_bits_per_byte": made.base_bits_per_byte,
        "bits_per_byte": made.bits_per_byte,
        "seconds": round(made.seconds, 1),
    }
    told.write_text(json.dumps(found))
    return found
