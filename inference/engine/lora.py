"""LoRA beside the base model's linear layers: each row of a batch gets the delta of its own adapter.
Knows how to wrap and unwrap a model, and which layers read the same input. Knows nothing of adapter files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import linear

from inference.engine.batch import PackedBatch
from inference.kernels.inputs import BatchTensors

_SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


@dataclass
class CurrentBatch:
    """Shared by all layers, set before each call of the model: linear layers are handed hidden states and no more."""

    batch: PackedBatch | None = None


class LoraLinear(nn.Module):
    """A frozen linear layer and, per adapter of the current batch, B (A x) on that adapter's rows (LoRA, section 4.1).

    The scale alpha / rank is already in B. Rows of the base model are not touched. `number` counts a model's layers.
    """

    def __init__(self, name: str, number: int, base: nn.Linear, current: CurrentBatch) -> None:
        super().__init__()
        self.name = name
        self.number = number
        self.base = base
        self._own = base.forward  # a call of a module, and finding it, cost a small model more than LoRA
        self.current = current
        self.siblings: Siblings | None = None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        batch = self.current.batch
        assert batch is not None
        if self.siblings is not None:
            return self.siblings.forward(self, hidden, batch)
        out: torch.Tensor = self._own(hidden)  # (1, tokens, out)
        if batch.tensors is not None:
            _add_deltas(hidden, [out], self.number, batch.tensors)
        if batch.tensors is not None or not batch.adapters:
            return out
        ins, outs = (hidden[0].unbind(), out[0].unbind()) if batch.decodes else (hidden[0], out[0])
        for adapter, rows in batch.adapters:
            if (pair := adapter.pair(self.name)) is not None:
                down, up = pair  # (rank, in), (out, rank)
                if rows.stop - rows.start == 1 and out.dtype == torch.float32:
                    # What most steps do. A third of the time of the products below, which are more exact in bf16.
                    outs[rows.start].addmv_(up, down.mv(ins[rows.start]))
                else:
                    out[:, rows] += linear(linear(hidden[:, rows], down), up)
        return out


class Siblings:
    """Layers that follow each other and read the same input: on a GPU one matrix, and LoRA's first half in one go.

    The first to be called computes for all; the others find theirs waiting, as long as the input is the same tensor.
    """

    def __init__(self, layers: Sequence[LoraLinear]) -> None:
        self._layers = list(layers)
        bases = [layer.base for layer in layers]
        self._sizes = [base.out_features for base in bases]
        self._weight = torch.cat([base.weight for base in bases])
        self._bias = None if bases[0].bias is None else torch.cat([base.bias for base in bases])
        for base, weight in zip(bases, torch.split(self._weight, self._sizes), strict=True):
            base.weight.data = weight  # the same numbers, held once
        self._seen: torch.Tensor | None = None
        self._outs: dict[LoraLinear, torch.Tensor] = {}

    def forward(self, layer: LoraLinear, hidden: torch.Tensor, batch: PackedBatch) -> torch.Tensor:
        if hidden is not self._seen or layer not in self._outs:
            assert batch.tensors is not None
            outs = torch.split(linear(hidden, self._weight, self._bias), self._sizes, dim=-1)
            _add_deltas(hidden, outs, self._layers[0].number, batch.tensors)
            self._seen, self._outs = hidden, dict(zip(self._layers, outs, strict=True))
        out = self._outs.pop(layer)
        if not self._outs:
            self._seen = None
        return out


def _add_deltas(hidden: torch.Tensor, outs: Sequence[torch.Tensor], number: int, batch: BatchTensors) -> None:
    """LoRA of the layers `number`, `number` + 1, ... on (1, tokens, out), in place."""
    if batch.lora is not None:
        from inference.kernels import lora  # Triton comes with CUDA, and machines without need none

        lora.add_deltas(hidden[0], [out[0] for out in outs], number, batch.lora)


def wrap(model: nn.Module, output: nn.Module | None, current: CurrentBatch) -> dict[str, LoraLinear]:
    """Put a LoraLinear in the place of every linear layer except `output`, the language model's head."""
    found = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear) and m is not output}
    wrapped = {name: LoraLinear(name, i, base, current) for i, (name, base) in enumerate(found.items())}
    for name, layer in wrapped.items():
        _replace(model, name, layer)
    return wrapped


def join_siblings(wrapped: Mapping[str, LoraLinear]) -> None:
    """Let layers that read the same input by their names, and lie side by side, compute together."""
    for name, layer in wrapped.items():
        parent, _, own = name.rpartition(".")
        names = next((names for names in _SIBLINGS if names[0] == own), ())
        layers = [found for each in names if (found := wrapped.get(f"{parent}.{each}")) is not None]
        numbers = [found.number for found in layers]
        alike = len({(found.base.in_features, found.base.bias is None) for found in layers}) == 1
        if len(layers) == len(names) > 1 and alike and numbers == list(range(layer.number, layer.number + len(names))):
            siblings = Siblings(layers)
            for found in layers:
                found.siblings = siblings


def unwrap(model: nn.Module, wrapped: Mapping[str, LoraLinear]) -> None:
    """Undo `wrap`."""
    for name, layer in wrapped.items():
        _replace(model, name, layer.base)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
