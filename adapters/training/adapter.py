"""Adapter: one LoRA in training, its fp32 weights in a flat tensor and their AdamW.
Knows how it begins, how a step changes it, and PEFT's names. Knows nothing of layers, rows or schedules."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import nn

from adapters.training.layout import Group, Layout, peft_name
from adapters.training.recipe import Recipe

CLIP: Final = 1.0

Weights = dict[str, torch.Tensor]
"""PEFT's names and matrices, in host memory."""


class Adapter:
    """Weights, gradient and optimizer of one adapter; everything in fp32 whatever the base is in."""

    def __init__(self, groups: Sequence[Group], recipe: Recipe, device: torch.device) -> None:
        self.recipe = recipe
        self.layout = Layout(groups, recipe.rank)
        self.scale = recipe.alpha / recipe.rank
        self.flat = nn.Parameter(_first_weights(self.layout, recipe.seed).to(device))  # (numbers,)
        self.optimizer = torch.optim.AdamW([self.flat], lr=recipe.learning_rate, weight_decay=0.0, fused=True)

    def learn(self, gradient: torch.Tensor, learning_rate: float) -> None:
        """One step of AdamW along `gradient` (numbers,), of which at most a length of CLIP counts; it is used up."""
        gradient *= torch.clamp(CLIP / (gradient.norm() + 1e-6), max=1.0)
        self.flat.grad = gradient
        self.optimizer.param_groups[0]["lr"] = learning_rate
        self.optimizer.step()
        self.flat.grad = None

    @property
    def bytes_to_come(self) -> int:
        """What the optimizer will hold after the first step and does not hold yet."""
        return 0 if self.optimizer.state else 2 * self.flat.nbytes

    def kept_inputs(self, step: int) -> torch.Tensor | None:
        """Dropout of a step: for each group's input, which features count and by how much (all groups' inputs,).

        None without dropout. It is the same for all tokens of a step, and follows from seed and step alone: so a voice
        learns the same in whatever company, and goes on after an interruption as if there had been none.
        """
        dropout = self.recipe.dropout
        if not dropout:
            return None
        chance = torch.Generator().manual_seed(random.Random(f"{self.recipe.seed} {step}").getrandbits(63))
        drawn = torch.rand(sum(group.inputs for group in self.layout.groups), generator=chance)
        return (drawn >= dropout).float().div_(1 - dropout)

    def weights(self) -> Weights:
        """A copy under PEFT's names, in host memory."""
        flat = self.flat.detach().to("cpu", copy=True)
        return {peft_name(path, kind): matrix for path, kind, matrix in self.layout.matrices(flat)}

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put copied weights back."""
        with torch.no_grad():
            for path, kind, matrix in self.layout.matrices(self.flat):
                matrix.copy_(weights[peft_name(path, kind)])

    def state(self) -> dict[str, torch.Tensor]:
        """Everything that the next step depends on, for a checkpoint; views, not copies."""
        moments = self.optimizer.state[self.flat]
        tensors = {name: moments[name] for name in ("exp_avg", "exp_avg_sq", "step") if moments}
        return {"flat": self.flat.detach(), **tensors}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        """The inverse of `state`. Raises ValueError for one of another shape."""
        if state["flat"].shape != self.flat.shape:
            raise ValueError(f"checkpoint: it has {len(state['flat'])} numbers, the adapter {len(self.flat)}")
        with torch.no_grad():
            self.flat.copy_(state["flat"])
        moments = {name: tensor for name, tensor in state.items() if name != "flat"}
        if moments:
            self.optimizer.load_state_dict(
                {"state": {0: moments}, "param_groups": self.optimizer.state_dict()["param_groups"]}
            )


def _first_weights(layout: Layout, seed: int) -> torch.Tensor:
    # As PEFT begins (Kaiming's uniform with a = sqrt 5): B is zero, so the first step starts from the base model.
    # Drawn on the CPU, so that every device begins with the same.
    flat = torch.zeros(layout.numbers)
    chance = torch.Generator().manual_seed(seed)
    for _, kind, matrix in layout.matrices(flat):
        if kind == "A":
            bound = 1 / math.sqrt(matrix.shape[1])
            matrix.uniform_(-bound, bound, generator=chance)
    return flat
