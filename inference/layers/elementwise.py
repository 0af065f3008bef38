"""What `inference.kernels.elementwise` computes on a GPU, for a CPU: as few of torch's operators as do it.
Knows formulas, and their gradients by what is not frozen. Knows nothing of modules or autograd."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch.nn import functional


def rms_norm(
    weight: torch.Tensor, eps: float, *, plus_one: bool, round_first: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of x (..., width); `plus_one`, `round_first` and dtypes as on a GPU.

    x / sqrt(mean(x^2) + eps) is x sqrt(width) / hypot(|x|, sqrt(width eps)), which takes four operators and not seven.
    """
    width, dtype = len(weight), weight.dtype
    factor = (weight.float() + 1 if plus_one else weight.float()) * math.sqrt(width)
    small = torch.tensor(math.sqrt(width * eps))

    def exact(x: torch.Tensor) -> torch.Tensor:
        return (x * factor).div_(torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot_(small))

    def rounding(x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        size = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).hypot_(small)
        if not round_first or x.dtype != dtype:
            return (wide * factor).div_(size).to(dtype)
        return wide.mul_(math.sqrt(width) / size).to(dtype).mul_(weight)

    return exact if dtype == torch.float32 else rounding


def rms_norm_gradient(
    weight: torch.Tensor, eps: float, *, plus_one: bool
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function of x (..., width) and of the gradient of its norm."""
    width = len(weight)
    factor = weight.float() + 1 if plus_one else weight.float()
    small = torch.tensor(math.sqrt(width * eps))

    def gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
        # y = x s w with s = sqrt(width) / hypot(|x|, small), so ds/dx = -s^3 x / width
        wide = x.float()
        slope = upstream * factor if upstream.dtype == factor.dtype else upstream.float().mul_(factor)
        size = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).hypot_(small)
        scale = math.sqrt(width) / size
        along = torch.linalg.vecdot(slope, wide)[..., None].mul_(scale).div_(size.square_())
        return slope.mul_(scale).addcmul_(wide, along, value=-1).to(x.dtype)

    return gradient


def act_mul(gate: torch.Tensor, up: torch.Tensor, *, tanh: bool) -> torch.Tensor:
    """SiLU(gate) * up, or with `tanh` GELU's tanh form; (..., width) both."""
    return (functional.gelu(gate, approximate="tanh") if tanh else functional.silu(gate)).mul_(up)


def act_mul_gradients(
    gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, *, tanh: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of gate and up (..., width): the two halves of one tensor (..., 2 width)."""
    out = torch.empty(*gate.shape[:-1], 2 * gate.shape[-1], dtype=gate.dtype)
    first, second = out.chunk(2, dim=-1)
    if tanh:
        torch.ops.aten.gelu_backward(upstream * up, gate, approximate="tanh", grad_input=first)
        torch.mul(functional.gelu(gate, approximate="tanh"), upstream, out=second)
    else:
        torch.ops.aten.silu_backward(upstream * up, gate, grad_input=first)
        torch.mul(functional.silu(gate), upstream, out=second)
    return first, second


@functools.lru_cache(maxsize=4)
def _signed(sin: torch.Tensor) -> torch.Tensor:
    """With its first half negated; once a step, because all layers are handed the same tensor."""
    low, high = sin.chunk(2, dim=-1)
    return torch.cat((-low, high), dim=-1)


def rotary(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *, back: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """q and k turned, or turned `back`.

    q is (rows, heads, tokens, dim), k is (rows, kv_heads, tokens, dim), cos and sin are (1, tokens, dim), in the same
    dtype or in fp32.
    """
    half = q.shape[-1] // 2
    cos, sin = cos[:, None], _signed(sin)[:, None]

    def turn(x: torch.Tensor) -> torch.Tensor:
        if back:  # the transposed rotation
            return (x * sin).roll(half, -1).addcmul_(x, cos)
        if cos.dtype == torch.float32:
            wide = x.float()
            return (wide * cos).addcmul_(wide.roll(half, -1), sin).to(x.dtype)
        return (x * cos).add_(x.roll(half, -1).mul_(sin))  # which rounds as often as transformers does

    return turn(q), turn(k)
