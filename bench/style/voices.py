"""Voices of the style benchmark: trained, and many of them at work in one batch, each row through its own.
Knows the trainer and PEFT's files. Knows nothing of authors' parts, prompts or judges."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from adapters.store import CONFIG, WEIGHTS
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


class Rows:
    """A base model on which every row of a batch goes through an adapter of its own, or through none."""

    def __init__(self, model: Any, folders: Mapping[str, Path]) -> None:
        self.model = model
        self._places = {name: place for place, name in enumerate(folders, 1)}  # 0 is no adapter
        self._a, self._b = _stacked(list(folders.values()), model)

    @contextmanager
    def of(self, voices: Sequence[str | None]) -> Iterator[None]:
        """Inside, row i of every pass is written by `voices[i]`, None being the base; one voice is that of all rows."""
        places = [self._places[voice] if voice else 0 for voice in voices]
        handles = []
        if any(places):
            index = torch.tensor(places, device=self.model.device)
            for name, a in self._a.items():
                # Gathered once for all passes: (rows, in, rank) and (rows, rank, out)
                hook = _add(a[index], self._b[name][index])
                handles.append(self.model.get_submodule(name).register_forward_hook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _add(a: torch.Tensor, b: torch.Tensor) -> Any:
    def hook(_module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return output + inputs[0] @ a @ b  # (rows, tokens, out)

    return hook


def _stacked(folders: Sequence[Path], model: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    # Module -> A (1 + adapters, in, rank) and B (1 + adapters, rank, out) with the scale in it. The first is zero, and
    # zeros fill smaller ranks up.
    loaded = [(json.loads((folder / CONFIG).read_text()), load_file(folder / WEIGHTS)) for folder in folders]
    rank = max((config["r"] for config, _ in loaded), default=0)
    stacks: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]] = ({}, {})
    modules = sorted({name.rpartition(".lora_")[0] for _, weights in loaded for name in weights})
    for module in modules:
        own = module.removeprefix("base_model.model.")
        layer = model.get_submodule(own)
        a = torch.zeros(1 + len(loaded), layer.in_features, rank)
        b = torch.zeros(1 + len(loaded), rank, layer.out_features)
        for place, (config, weights) in enumerate(loaded, 1):
            a[place, :, : config["r"]] = weights[f"{module}.lora_A.weight"].float().T
            b[place, : config["r"]] = weights[f"{module}.lora_B.weight"].float().T * (
                config["lora_alpha"] / config["r"]
            )
        for stack, tensor in zip(stacks, (a, b), strict=True):
            stack[own] = tensor.to(model.device, model.dtype)
    return stacks
