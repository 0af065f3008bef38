"""Learner: one step of the optimizer over some rows, in passes that fit the machine.
Knows gradients, clipping and AdamW. Knows nothing of schedules, evaluations or files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from adapters.training.loss import negative_log_likelihood, pad
from adapters.training.prompts import IGNORED
from adapters.training.stopping import ShouldStop, Stopped, never

CLIP = 1.0
# Tokens of one pass, fillings included. Two CPU cores are busy with a single row; a GPU wants as many as it can hold.
TOKENS_AT_ONCE_CPU = 256
TOKENS_AT_ONCE_GPU = 8192
# What a token's activations take in bf16, by hidden size and layer (measured on Llama shapes), and how much of the
# free memory they may have: the rest is for gradients, the output layer and what the allocator wastes.
BYTES_A_TOKEN = 80
SHARE_OF_FREE_MEMORY = 0.6

Row = tuple[Sequence[int], Sequence[int]]
"""Token ids and labels, of one length."""


class Diverged(ArithmeticError):
    """The loss is no number any more."""


def precision(model: Any) -> AbstractContextManager[Any]:
    """What to compute in: on a base in bf16 the fp32 adapter computes in bf16 too; its weights and steps stay fp32."""
    if model.dtype == torch.float32:
        return nullcontext()
    # The cache would hand out the bf16 copies of the first step's weights as long as the context lasts.
    return torch.autocast(model.device.type, dtype=model.dtype, cache_enabled=False)


class Learner:
    """The trainable weights of a model and their optimizer."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, weight_decay=0.0)
        self.tokens_at_once = _tokens_at_once(model)

    def step(self, rows: Sequence[Row], learning_rate: float, should_stop: ShouldStop = never) -> float:
        """Learn from `rows` and return their mean loss per learned token, from before the step.

        Every learned token counts the same, however the rows are spread over passes. Raises Stopped, and Diverged when
        the loss is no number; the weights are then what they were.
        """
        learned = sum(sum(label != IGNORED for label in labels[1:]) for _, labels in rows)
        total = 0.0
        for some in _passes(rows, self.tokens_at_once):
            if should_stop():
                raise Stopped
            loss = negative_log_likelihood(self.model, *pad(some, self.model.device)) / learned
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if not total < float("inf"):
            raise Diverged(f"the loss is {total}")
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return total


def _tokens_at_once(model: Any) -> int:
    if model.device.type != "cuda":
        return TOKENS_AT_ONCE_CPU
    free, _ = torch.cuda.mem_get_info(model.device)
    a_token = BYTES_A_TOKEN * model.config.hidden_size * model.config.num_hidden_layers
    return min(TOKENS_AT_ONCE_GPU, int(SHARE_OF_FREE_MEMORY * free / a_token))


def _passes(rows: Sequence[Row], budget: int) -> Iterator[list[Row]]:
    # Rows of like length together, so that little of a pass is filling.
    some: list[Row] = []
    for row in sorted(rows, key=lambda row: len(row[0])):
        if some and len(row[0]) * (len(some) + 1) > budget:
            yield some
            some = []
        some.append(row)
    if some:
        yield some
