"""LoRA beside the base model's linear layers: each row of a batch gets the delta of its own adapter.
Knows how to wrap and unwrap a model. Knows nothing of adapter files or of who may use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import linear

from inference.engine.batch import PackedBatch


@dataclass
class CurrentBatch:
    """Shared by all layers, set before each call of the model: linear layers are handed hidden states and no more."""

    batch: PackedBatch | None = None


class LoraLinear(nn.Module):
    """A frozen linear layer and, per adapter of the current batch, B (A x) on that adapter's rows (LoRA, section 4.1).

    The scale alpha / rank is already in B. Rows of the base model are not touched.
    """

    def __init__(self, name: str, base: nn.Linear, current: CurrentBatch) -> None:
        super().__init__()
        self.name = name
        self.base = base
        self.current = current

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.base(hidden)  # (1, tokens, out)
        assert self.current.batch is not None
        for adapter, rows in self.current.batch.adapters:
            if (pair := adapter.layers.get(self.name)) is not None:
                down, up = pair  # (rank, in), (out, rank)
                out[:, rows] += linear(linear(hidden[:, rows], down), up)
        return out


def wrap(model: nn.Module, output: nn.Module | None, current: CurrentBatch) -> dict[str, LoraLinear]:
    """Put a LoraLinear in the place of every linear layer except `output`, the language model's head."""
    found = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not output}
    wrapped = {name: LoraLinear(name, base, current) for name, base in found.items()}
    for name, layer in wrapped.items():
        _replace(model, name, layer)
    return wrapped


def unwrap(model: nn.Module, wrapped: Mapping[str, LoraLinear]) -> None:
    """Undo `wrap`."""
    for name, layer in wrapped.items():
        _replace(model, name, layer.base)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
