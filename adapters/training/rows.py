"""Rows: several adapters on one base model at once, each row of a batch through its own.
Knows PEFT's files and PyTorch's hooks. Knows nothing of prompts, training or the engine that serves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from adapters.store import CONFIG, WEIGHTS


class Rows:
    """A base model on which every row of a batch goes through an adapter of its own, or through none."""

    def __init__(self, model: Any, folders: Mapping[str, Path]) -> None:
        self.model = model
        self._places = {name: place for place, name in enumerate(folders, 1)}  # 0 is no adapter
        self._a, self._b = _stacked(list(folders.values()), model)

    @property
    def voices(self) -> list[str]:
        """The names of the adapters."""
        return list(self._places)

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
