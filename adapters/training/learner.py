"""Learner: one step of several adapters on one base model, in passes that fit the machine.
Knows rows, passes and running out of memory. Knows nothing of schedules, evaluations or files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import torch

from adapters.training.adapter import Adapter
from adapters.training.bank import Bank, Plan, plan
from adapters.training.batch import Batch, Row, batch, learned
from adapters.training.graphs import Graphs
from adapters.training.layout import groups_of
from adapters.training.lora_layers import Adapted
from adapters.training.loss import layers_of, negative_log_likelihood, require_plain_output
from adapters.training.memory import Memory
from adapters.training.recipe import Recipe
from adapters.training.stopping import ShouldStop, Stopped, never, stoppable
from inference.layers import elementwise
from inference.layers.fusion import Elementwise, fuse

LAUNCH_BOUND: Final = 3072
"""A GPU computes the layers of narrower models faster than Python can ask for them: their passes are captured."""
FEW_SHAPES: Final = {"length_step": 64, "labelled_step": 1024}
"""For graphs to be of use, the same shapes must come again."""


class Diverged(ArithmeticError):
    """The loss is no number any more."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What one adapter learns in a step."""

    adapter: Adapter
    rows: Sequence[Row]
    learning_rate: float
    step: int
    """Counted from 1; dropout follows from it."""


class Learner:
    """A base model with room for adapters; `close` gives the model back exactly as it was."""

    def __init__(self, model: Any, *, memory_bytes: int | None = None) -> None:
        """`memory_bytes`: how much of a GPU's memory may be held in all; by default all that is free.

        Raises ValueError for a model that cannot be trained on.
        """
        require_plain_output(model)
        self.model = model
        self.groups = groups_of(model)
        self._asked = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
        model.eval().requires_grad_(False)
        self._fused = fuse(model, _elementwise(model.device))
        self._adapted = Adapted(model, self.groups)
        self._bank: Bank | None = None
        self._graphs = Graphs()
        self._launch_bound = model.device.type == "cuda" and model.config.hidden_size < LAUNCH_BOUND
        with self.using(self.new_adapter(Recipe(rank=16))):
            self.memory = Memory(model, memory_bytes)

    def close(self) -> None:
        """Take everything off the model."""
        self._graphs.clear()
        self.memory.undo()
        self._adapted.undo()
        self._fused.undo()
        for parameter, flag in self._asked:
            parameter.requires_grad_(flag)

    def new_adapter(self, recipe: Recipe) -> Adapter:
        """One that has learned nothing yet."""
        return Adapter(self.groups, recipe, self.model.device)

    def step(self, lessons: Sequence[Lesson], should_stop: ShouldStop = never) -> list[float]:
        """Let every adapter learn from its rows; their mean losses per learned token, from before the step.

        Every learned token of a lesson counts the same, however its rows are spread over passes. An adapter whose loss
        is no number stays what it was; the others are not concerned. Raises Stopped when all shall stop (nothing
        is learned then), torch.OutOfMemoryError when not even the shortest pass fits.
        """
        bank = self._bank_for([lesson.adapter for lesson in lessons])
        while True:
            try:
                losses = self._passes(bank, lessons, should_stop)
                break
            except torch.OutOfMemoryError:
                self._graphs.clear()
                if not self.memory.halve(max(len(ids) for lesson in lessons for ids, _ in lesson.rows)):
                    raise
        for index, (lesson, loss) in enumerate(zip(lessons, losses, strict=True)):
            if math.isfinite(loss):
                lesson.adapter.learn(bank.gradient(index), lesson.learning_rate)
        return losses

    def using(self, adapter: Adapter | None) -> AbstractContextManager[None]:
        """Inside, the model is called with one adapter, without dropout; None is the base model alone."""
        if adapter is None:
            return self._adapted.using(None)
        bank = self._new_bank([adapter])
        bank.fill([adapter], [None])
        return self._adapted.using(plan(bank, [0]))

    def _new_bank(self, adapters: Sequence[Adapter]) -> Bank:
        rank = max(adapter.layout.rank for adapter in adapters)
        return Bank(self.groups, rank=rank, places=len(adapters), dtype=self.model.dtype, device=self.model.device)

    def _bank_for(self, adapters: Sequence[Adapter]) -> Bank:
        if self._bank is None or not self._bank.fits(adapters):
            self._graphs.clear()
            self._bank = None  # its memory first
            self._bank = self._new_bank(adapters)
            self.memory.look(sum(adapter.bytes_to_come for adapter in adapters))
        return self._bank

    def _passes(self, bank: Bank, lessons: Sequence[Lesson], should_stop: ShouldStop) -> list[float]:
        bank.fill([lesson.adapter for lesson in lessons], [lesson.step for lesson in lessons])
        weights = [1 / max(1, sum(map(learned, lesson.rows))) for lesson in lessons]
        rows = [(row, index) for index, lesson in enumerate(lessons) for row in lesson.rows]
        totals = torch.zeros(len(lessons), device=self.model.device)
        with self._listening(should_stop):
            for some in _fitting(rows, self.memory.tokens_at_once):
                if should_stop():
                    raise Stopped
                some.sort(key=lambda row: row[1])
                owners = [index for _, index in some]
                made = batch(
                    [row for row, _ in some],
                    self.model.device,
                    owners=owners,
                    weights=[weights[index] for index in owners],
                    **(FEW_SHAPES if self._launch_bound else {}),
                )
                totals.index_add_(0, made.owners, self._one_pass(plan(bank, owners), made))
        found: list[float] = totals.tolist()
        return found

    def _one_pass(self, through: Plan, made: Batch) -> torch.Tensor:
        """Losses (labelled,) of a batch; gradients are gathered in the plan's bank."""

        def compute(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
            own = Batch(**dict(zip(names, tensors, strict=False)))
            index = tensors[len(names)] if through.index is not None else None
            with self._adapted.using(replace(through, index=index)):
                losses = negative_log_likelihood(self.model, own)
                losses.backward(torch.ones_like(losses))
            return losses.detach()

        names = [field.name for field in fields(Batch)]
        tensors = [*made.tensors(), *([] if through.index is None else [through.index])]
        if not self._launch_bound:
            return compute(tensors)
        key = (*made.ids.shape, *made.labels.shape, through.parts, through.index is None, self.memory.checkpointing)
        return self._graphs.run(key, tensors, compute)

    def _listening(self, should_stop: ShouldStop) -> AbstractContextManager[None]:
        # A pass takes a second or two on two cores, and a blink on a GPU.
        return nullcontext() if self.model.device.type == "cuda" else stoppable(layers_of(self.model), should_stop)


def _fitting(rows: Sequence[tuple[Row, int]], budget: int) -> Iterator[list[tuple[Row, int]]]:
    # Rows of like length together, so that little of a pass is filling.
    some: list[tuple[Row, int]] = []
    for row in sorted(rows, key=lambda row: len(row[0][0])):
        if some and len(row[0][0]) * (len(some) + 1) > budget:
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def _elementwise(device: torch.device) -> Elementwise:
    if device.type == "cpu":
        return elementwise
    from inference.kernels import elementwise as kernels  # Triton comes with CUDA, and machines without need none

    return kernels
