"""What `inference.kernels.elementwise` computes on a GPU, for a CPU: as few of torch's operators as do it.
Knows formulas. Knows nothing of modules or of which model has which formula."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch.nn import functional


def rms_norm(
    weight: torch.Tensor, eps: float, *, plus_one: bool, round_first: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of x (..., width); `plus_one` as on a GPU. Every operator rounds, so it is exact in fp32 alone.

    x / sqrt(mean(x^2) + eps) is x sqrt(width) / hypot(|x|, sqrt(width eps)), which takes four operators and not seven.
    """
    width = len(weight)
    factor = (weight + 1 if plus_one else weight) * math.sqrt(width)
    small = torch.tensor(math.sqrt(width * eps))

    def norm(x: torch.Tensor) -> torch.Tensor:
        return (x * factor).div_(torch.linalg.vector_norm(x, dim=-1, keepdim=True).hypot_(small))

    return norm


def act_mul(gate: torch.Tensor, up: torch.Tensor, *, tanh: bool) -> torch.Tensor:
    """SiLU(gate) * up, or with `tanh` GELU's tanh form; (..., width) both."""
    return (functional.gelu(gate, approximate="tanh") if tanh else functional.silu(gate)).mul_(up)


@functools.lru_cache(maxsize=4)
def _signed(sin: torch.Tensor) -> torch.Tensor:
    """With its first half negated; once a step, because all layers are handed the same tensor."""
    low, high = sin.chunk(2, dim=-1)
    return torch.cat((-low, high), dim=-1)


def rotary(q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """q and k turned; q is (1, heads, tokens, dim), k (1, kv_heads, tokens, dim), cos and sin are (1, tokens, dim)."""
    half = q.shape[-1] // 2
    cos, sin = cos[:, None], _signed(sin)[:, None]
    return (q * cos).addcmul_(q.roll(half, -1), sin), (k * cos).addcmul_(k.roll(half, -1), sin)
