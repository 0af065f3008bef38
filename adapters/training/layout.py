"""Layout: where the matrices of a LoRA adapter lie in one flat tensor, and what PEFT calls each.
Knows shapes and names. Knows nothing of values, gradients or files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import nn

TARGETS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")

_SIBLINGS: Final = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers of one parent that are handed the same input, in the order in which they are called."""
_ALIGNED: Final = 64
"""Every block begins at a multiple of so many numbers, which matrix units like."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Linear layers of one parent that are handed the same input."""

    parent: str
    """Name of the module that they belong to, such as model.layers.0.mlp."""
    names: tuple[str, ...]
    """Their own."""
    inputs: int
    """Width of the input."""
    outputs: tuple[int, ...]
    """Width of each layer's output."""


def groups_of(model: nn.Module) -> list[Group]:
    """All linear layers that a voice adapts. Raises ValueError for a model without any."""
    found = []
    for parent, module in model.named_modules():
        linear = {name: layer for name, layer in module.named_children() if name in TARGETS}
        linear = {name: layer for name, layer in linear.items() if hasattr(layer, "in_features")}
        for names in (*_SIBLINGS, *((name,) for name in TARGETS)):
            layers = [linear[name] for name in names if name in linear]
            if len(layers) == len(names) and len({layer.in_features for layer in layers}) == 1:
                linear = {name: layer for name, layer in linear.items() if name not in names}
                outputs = tuple(int(layer.out_features) for layer in layers)
                found.append(Group(parent=parent, names=names, inputs=int(layers[0].in_features), outputs=outputs))
    if not found:
        raise ValueError(f"base model: {type(model).__name__} has none of the layers {', '.join(TARGETS)}")
    return found


class Layout:
    """One adapter of `rank`: all matrices A, group by group, then all B, transposed.

    The matrices B of a group stand on the diagonal of one block matrix, so that one product adds what LoRA adds to all
    its layers. What is off the diagonal is zero and stays so.
    """

    def __init__(self, groups: Sequence[Group], rank: int) -> None:
        self.groups = groups
        self.rank = rank
        at = 0
        self._a: list[int] = []
        self._b: list[int] = []
        for group in groups:
            self._a.append(at)
            at = _aligned(at + len(group.names) * rank * group.inputs)
        self.first_b = at
        """Where the matrices B begin."""
        for group in groups:
            self._b.append(at)
            at = _aligned(at + len(group.names) * rank * sum(group.outputs))
        self.numbers = at
        """Length of the flat tensor; the few between two blocks are zero too."""

    def a(self, flat: torch.Tensor, group: int) -> torch.Tensor:
        """The matrices A of a group below each other: a view (..., layers x rank, inputs) of `flat` (..., numbers)."""
        rows, width = len(self.groups[group].names) * self.rank, self.groups[group].inputs
        return flat.narrow(-1, self._a[group], rows * width).view(*flat.shape[:-1], rows, width)

    def b(self, flat: torch.Tensor, group: int) -> torch.Tensor:
        """The block matrix of a group's B: a view (..., layers x rank, all outputs) of `flat` (..., numbers)."""
        rows, width = len(self.groups[group].names) * self.rank, sum(self.groups[group].outputs)
        return flat.narrow(-1, self._b[group], rows * width).view(*flat.shape[:-1], rows, width)

    def matrices(self, flat: torch.Tensor) -> Iterator[tuple[str, Literal["A", "B"], torch.Tensor]]:
        """Every matrix of `flat` (numbers,) as a view of PEFT's shape, A (rank, inputs) and B (outputs, rank)."""
        for index, group in enumerate(self.groups):
            a, b = self.a(flat, index), self.b(flat, index)
            start = 0
            for layer, (name, size) in enumerate(zip(group.names, group.outputs, strict=True)):
                rows = slice(layer * self.rank, (layer + 1) * self.rank)
                yield f"{group.parent}.{name}", "A", a[rows]
                yield f"{group.parent}.{name}", "B", b[rows, start : start + size].t()
                start += size

    def used(self) -> torch.Tensor:
        """1 for every number of the matrices B, 0 for what is off the diagonals (numbers - first_b,)."""
        flat = torch.zeros(self.numbers)
        for _, kind, matrix in self.matrices(flat):
            if kind == "B":
                matrix.fill_(1)
        return flat[self.first_b :]

    def copy(self, source: torch.Tensor, of: Layout, out: torch.Tensor) -> None:
        """Write `source`, an adapter laid out by `of`, into `out` (both flat); what has more ranks is cut or left."""
        if of.rank == self.rank:
            out.copy_(source)
            return
        rank = min(of.rank, self.rank)
        for (_, kind, there), (_, _, here) in zip(of.matrices(source), self.matrices(out), strict=True):
            if kind == "A":
                here[:rank].copy_(there[:rank])
            else:
                here[:, :rank].copy_(there[:, :rank])


def peft_name(path: str, kind: Literal["A", "B"]) -> str:
    """What PEFT's files call a matrix."""
    return f"base_model.model.{path}.lora_{kind}.weight"


def _aligned(at: int) -> int:
    return -(-at // _ALIGNED) * _ALIGNED
