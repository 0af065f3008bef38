"""The adapter on the base model: put on, taken off, copied, written in PEFT's layout.
Knows PEFT. Knows nothing of data, optimizers or manifests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from peft.helpers import disable_input_dtype_casting
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch import nn

from adapters.store import CONFIG, WEIGHTS
from adapters.training.recipe import Recipe

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

Weights = dict[str, torch.Tensor]


@contextmanager
def attached(model: nn.Module, recipe: Recipe) -> Iterator[Any]:
    """A fresh adapter on `model` (a PeftModel); outside, the base model is exactly what it was.

    The adapter's weights are fp32 whatever the base is in.
    """
    asked = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=list(TARGETS),
        bias="none",
        task_type="CAUSAL_LM",
    )
    wrapped = get_peft_model(model, config, autocast_adapter_dtype=True)
    try:
        # Under autocast the adapter computes in the base's precision: PEFT's copies of every input in fp32 are for
        # nothing, and they are large.
        with disable_input_dtype_casting(wrapped):
            yield wrapped
    finally:
        wrapped.unload()
        model.eval()
        for parameter, flag in asked:
            parameter.requires_grad_(flag)


def weights_of(wrapped: Any) -> Weights:
    """A copy of the adapter's weights in host memory."""
    state = get_peft_model_state_dict(wrapped, save_embedding_layers=False)
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}


def load_weights(wrapped: Any, weights: Weights) -> None:
    """Put copied weights back."""
    set_peft_model_state_dict(wrapped, weights)


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
