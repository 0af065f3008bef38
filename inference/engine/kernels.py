"""Which kernels run where: Triton's on a GPU, Numba's on a CPU. Both are told the same of a step.
Knows their names. Knows nothing of what they compute."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from inference.engine.device import captured, graph_memory
from inference.layers.fusion import Elementwise


@dataclass(frozen=True, kw_only=True)
class Kernels:
    """`inference.kernels.attention` and `.lora` say what the functions take."""

    attend: Callable[..., torch.Tensor]
    add_deltas: Callable[..., None]
    elementwise: Elementwise
    captured: Callable[[Callable[[], None], Any], Any]
    """Makes a step into what can `replay` it, or None where that cannot be."""
    shared: Callable[[], Any]
    """Memory for the steps that are captured."""
    runs_ahead: bool
    """Steps are launched while the one before still runs."""


@functools.cache
def on(device: torch.device) -> Kernels:
    return _triton() if device.type == "cuda" else _numba()


# Each is imported where it is used: Triton comes with CUDA, and Numba takes a second to begin.


@functools.cache
def _triton() -> Kernels:
    from inference.kernels import attention, elementwise, lora

    return Kernels(
        attend=attention.attend,
        add_deltas=lora.add_deltas,
        elementwise=elementwise,
        captured=captured,
        shared=graph_memory,
        runs_ahead=True,
    )


@functools.cache
def _numba() -> Kernels:
    from inference.cpu_kernels import attention, elementwise, lora, tape

    return Kernels(
        attend=attention.attend,
        add_deltas=lora.add_deltas,
        elementwise=elementwise,
        captured=tape.captured,
        shared=tape.Room,
        runs_ahead=False,
    )
