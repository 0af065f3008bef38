"""LoRA beside the base model's linear layers: each row of a batch gets the delta of its own adapter.
Knows how to wrap and unwrap a model, and which layers read the same input. Knows nothing of adapter files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import linear

from inference.engine import kernels
from inference.engine.batch import PackedBatch
from inference.layers.weights import SIBLINGS, Joined, Part


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
        self.joined: tuple[Joined, int] | None = None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if self.joined is not None:
            joined, place = self.joined
            return joined.part(place, hidden)
        out: torch.Tensor = self._own(hidden)  # (1, tokens, out)
        self.add_deltas(hidden, out, [self.base.out_features])
        return out

    def add_deltas(self, hidden: torch.Tensor, out: torch.Tensor, sizes: list[int]) -> None:
        """Of this layer and those after it, whose outputs of `sizes` lie side by side in (1, tokens, out), in place."""
        batch = self.current.batch
        assert batch is not None
        assert batch.tensors is not None
        if batch.tensors.lora is not None:
            kernels.on(out.device).add_deltas(hidden[0], out[0], sizes, self.number, batch.tensors.lora)


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
        names = next((names for names in SIBLINGS if names[0] == own), ())
        layers = [found for each in names if (found := wrapped.get(f"{parent}.{each}")) is not None]
        numbers = [found.number for found in layers]
        alike = len({(found.base.in_features, found.base.bias is None) for found in layers}) == 1
        if len(layers) == len(names) > 1 and alike and numbers == list(range(layer.number, layer.number + len(names))):
            _join(layers)


def _join(layers: Sequence[LoraLinear]) -> None:
    """One product, and one LoRA."""
    first, bases = layers[0], [layer.base for layer in layers]
    sizes = [base.out_features for base in bases]
    own = _whole(bases, sizes)

    def forward(hidden: torch.Tensor) -> torch.Tensor:
        out = own(hidden)
        first.add_deltas(hidden, out, sizes)
        return out

    joined = Joined(forward, sizes)
    for place, layer in enumerate(layers):
        layer.joined = joined, place


def _whole(bases: Sequence[nn.Linear], sizes: Sequence[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """What computes the outputs of all of them."""
    if isinstance(bases[0], Part):
        return bases[0].whole[0].forward
    whole = torch.cat([base.weight for base in bases])
    bias = None if bases[0].bias is None else torch.cat([base.bias for base in bases])
    for base, weight in zip(bases, torch.split(whole, [*sizes]), strict=True):
        base.weight.data = weight  # the same numbers, held once
    return lambda hidden: linear(hidden, whole, bias)


def unwrap(model: nn.Module, wrapped: Mapping[str, LoraLinear]) -> None:
    """Undo `wrap`."""
    for name, layer in wrapped.items():
        _replace(model, name, layer.base)


def _replace(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, module)
