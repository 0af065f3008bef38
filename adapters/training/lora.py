"""A finished adapter's files, in PEFT's layout.
Knows their fields and names. Knows nothing of training, data or manifests."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from adapters.store import CONFIG, WEIGHTS
from adapters.training.adapter import Weights
from adapters.training.layout import TARGETS
from adapters.training.recipe import Recipe


def save(weights: Weights, recipe: Recipe, folder: Path, *, base_name: str, dtype: torch.dtype) -> int:
    """Write the two files of PEFT's layout and return their size in bytes; equal weights give equal files.

    PEFT's own writer puts the base model's path and a set in random order into the configuration; the adapter's
    digest is made over it, so it is written here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: tensor.to(dtype).contiguous() for name, tensor in sorted(weights.items())}
    save_file(stored, folder / WEIGHTS, metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_dropout": recipe.dropout,
        "target_modules": sorted(TARGETS),
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "use_dora": False,
        "use_rslora": False,
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
        "inference_mode": True,
    }
    (folder / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return sum((folder / name).stat().st_size for name in (CONFIG, WEIGHTS))
