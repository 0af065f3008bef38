"""Stopping in the middle of a step: a flag that is looked at before every layer, forwards and backwards.
Knows PyTorch's hooks. Knows nothing of who wants to stop, or why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

ShouldStop = Callable[[], bool]


class Stopped(Exception):
    """Training was asked to stop. `step` is the last finished step."""

    def __init__(self, step: int = 0) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step


def never() -> bool:
    """For callers who do not stop."""
    return False


@contextmanager
def stoppable(layers: nn.ModuleList, should_stop: ShouldStop) -> Iterator[None]:
    """Inside, a pass through any of `layers` raises Stopped once `should_stop()` is true.

    A step of a small batch takes seconds on two CPU cores; a layer of it takes a few hundredths.
    """

    def check(*_: Any) -> None:
        if should_stop():
            raise Stopped

    def watch(_module: nn.Module, _inputs: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output  # (batch, tokens, hidden)
        if isinstance(hidden, torch.Tensor) and hidden.requires_grad:
            hidden.register_hook(check)

    handles = [layer.register_forward_pre_hook(check) for layer in layers]
    handles += [layer.register_forward_hook(watch) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
