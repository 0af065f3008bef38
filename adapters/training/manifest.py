"""Manifest: what an adapter was made from, how, and how good it is, as JSON beside its weights.
Knows its fields. Knows nothing of the store, jobs or owners."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from adapters.base_model import BaseModel
from adapters.store import MANIFEST
from adapters.training.dataset import DataSet, text_hash
from adapters.training.layout import TARGETS
from adapters.training.prompts import TEMPLATE_VERSION
from adapters.training.reading import FORMAT
from adapters.training.recipe import Recipe
from adapters.training.training import Trained
from adapters.training.windows import Window

LIBRARIES: Final = ("torch", "transformers", "peft", "safetensors")


def build(
    *,
    base: BaseModel,
    voice: str,
    data: DataSet,
    recipe: Recipe,
    trained: Trained,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything needed to say what the voice has read and to train it again.

    `extra` holds fields of the caller's own. Raises ValueError when one of them has a name of the manifest's.
    """
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "voice": voice,
        "base_model": {"name": base.name, "digest": base.digest},
        "template_version": TEMPLATE_VERSION,
        "data": {
            "hash": data.hash,
            "train_posts": [post.id for post in data.train],
            "held_out_posts": [post.id for post in data.held_out],
            "left_out": [asdict(found) for found in data.left_out],
            "texts": {str(post.id): text_hash(post) for post in (*data.train, *data.held_out)},
            "train_tokens": data.train_tokens,
            "held_out_tokens": data.held_out_tokens,
            "windows": [_provenance(window) for window in data.windows],
        },
        "recipe": recipe.as_dict(),
        "seed": recipe.seed,
        "adapter": {"rank": recipe.rank, "alpha": recipe.alpha, "modules": list(TARGETS), "bytes": trained.bytes},
        "metrics": {
            "bits_per_byte": trained.bits_per_byte,
            "base_bits_per_byte": trained.base_bits_per_byte,
            "learning_rate": trained.learning_rate,
            "step": trained.step,
            "steps": trained.steps,
            "train_seconds": round(trained.seconds, 1),
        },
        "libraries": {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}},
    }
    for name, value in (extra or {}).items():
        if name in manifest:
            raise ValueError(f"manifest: {name!r} is a field of its own")
        manifest[name] = value
    return manifest


def write(manifest: Mapping[str, Any], folder: Path) -> None:
    """Put it beside the adapter's weights."""
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _provenance(window: Window) -> dict[str, Any]:
    source = window.source
    return {
        "post": source.post,
        "prompt": source.kind,
        "paragraphs": [source.first_paragraph, source.last_paragraph],
        "characters": [source.opening, source.start, source.end],
        "rules": list(source.rules),
    }
