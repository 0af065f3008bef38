"""Candidate: one of the learning rates that a training tries side by side, and the best that came of it.
Knows its adapter and its figures. Knows nothing of steps or data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from adapters.training.adapter import Adapter, Weights


class Candidate:
    """An adapter that learns, beside the best weights that it has had."""

    def __init__(self, adapter: Adapter, factor: float) -> None:
        self.adapter = adapter
        self.factor = factor
        """Its learning rate is so many times the recipe's."""
        self.bits_per_byte = math.inf
        """Of the best weights."""
        self.step = 0
        """After which they were measured."""
        self.best: Weights | None = None
        self.without_gain = 0
        """Measurements in a row that were no better."""
        self.losses: list[float] = []
        """Of the steps since the last measurement."""

    def measured(self, bits_per_byte: float, step: int) -> bool:
        """Take a figure of the present weights; whether it is the best."""
        best = bits_per_byte < self.bits_per_byte
        if best:
            self.best, self.bits_per_byte, self.step = self.adapter.weights(), bits_per_byte, step
        self.without_gain = 0 if best else self.without_gain + 1
        return best

    def progress(self) -> dict[str, Any]:
        """For a checkpoint, as JSON."""
        return {
            "factor": self.factor,
            "bits_per_byte": self.bits_per_byte if self.best else None,
            "step": self.step,
            "without_gain": self.without_gain,
            "losses": self.losses,
        }

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        best = {f"best.{name}": tensor for name, tensor in (self.best or {}).items()}
        return {**{f"state.{name}": tensor for name, tensor in self.adapter.state().items()}, **best}

    def restore(self, progress: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
        """The inverse of both."""
        self.adapter.restore(_under("state.", tensors))
        self.best = _under("best.", tensors) or None
        self.bits_per_byte = math.inf if progress["bits_per_byte"] is None else progress["bits_per_byte"]
        self.step, self.without_gain, self.losses = progress["step"], progress["without_gain"], progress["losses"]


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
