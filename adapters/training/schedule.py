"""Schedule: which windows each step reads, at which learning rate, and after which steps the voice is measured.
Knows the recipe and the number of windows. Knows nothing of tensors or time."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

from adapters.training.recipe import Recipe

# The cosine ends here, not at zero: the last steps of an epoch should still count.
LOWEST_SHARE = 0.05


class Schedule:
    """Everything about a run that follows from the recipe and the number of windows alone."""

    def __init__(self, windows: int, recipe: Recipe) -> None:
        self.windows = windows
        self.recipe = recipe
        self.steps_an_epoch = math.ceil(windows / recipe.windows_a_step)
        self.steps = max(1, math.ceil(self.steps_an_epoch * recipe.epochs))

    @property
    def evaluations(self) -> list[int]:
        """Steps after which the voice is measured, in order; the last step is always one of them."""
        every = self.steps_an_epoch / self.recipe.evaluations_an_epoch
        count = max(1, round(self.steps / every))
        return sorted({max(1, round(self.steps * number / count)) for number in range(1, count + 1)})

    def learning_rate(self, step: int) -> float:
        """For `step`, counted from 1: up in a line, then down along a cosine."""
        warmup = max(1, round(self.steps * self.recipe.warmup_ratio))
        if step <= warmup:
            return self.recipe.learning_rate * step / warmup
        done = (step - warmup) / max(1, self.steps - warmup)
        share = LOWEST_SHARE + (1 - LOWEST_SHARE) * (1 + math.cos(math.pi * done)) / 2
        return self.recipe.learning_rate * share

    def batches(self) -> Iterator[list[int]]:
        """Indices of the windows of each step: every epoch reads all of them once, in an order of its own."""
        made = 0
        epoch = 0
        while True:
            order = list(range(self.windows))
            random.Random(f"{self.recipe.seed} {epoch}").shuffle(order)
            for start in range(0, len(order), self.recipe.windows_a_step):
                if made == self.steps:
                    return
                made += 1
                yield order[start : start + self.recipe.windows_a_step]
            epoch += 1
