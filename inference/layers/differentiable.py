# mypy: ignore-errors
"""The fused elementwise functions with their gradients, for training on a frozen model.
Knows which kernel goes forwards and which backwards. Knows nothing of modules."""

from typing import Any

import torch

from inference.kernels import elementwise, gradients


class RMSNorm(torch.autograd.Function):
    """A norm of x (..., width) by `kernel`, which computes what `eps` and `plus_one` say with the frozen weight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, kernel: Any, eps: float, plus_one: bool) -> Any:
        ctx.save_for_backward(x, weight)
        ctx.eps, ctx.plus_one = eps, plus_one
        return kernel(x)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        x, weight = ctx.saved_tensors
        return gradients.rms_norm(x, weight, upstream, ctx.eps, plus_one=ctx.plus_one), None, None, None, None


class ActMul(torch.autograd.Function):
    """The gated activation of gate and up (..., width)."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor, tanh: bool) -> Any:
        ctx.save_for_backward(gate, up)
        ctx.tanh = tanh
        return elementwise.act_mul(gate, up, tanh=tanh)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        gate, up = ctx.saved_tensors
        return *gradients.act_mul(gate, up, upstream, tanh=ctx.tanh), None


class Rotary(torch.autograd.Function):
    """q (rows, heads, tokens, dim) and k turned by cos and sin (1, tokens, dim)."""

    @staticmethod
    def forward(ctx: Any, q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> Any:
        ctx.save_for_backward(cos, sin)
        return elementwise.rotary(_by_token(q), _by_token(k), cos, sin)

    @staticmethod
    def backward(ctx: Any, q: torch.Tensor, k: torch.Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        return *elementwise.rotary(_by_token(q), _by_token(k), cos, sin, back=True), None, None


def _by_token(x: torch.Tensor) -> torch.Tensor:
    """x (rows, heads, tokens, dim) with all tokens of all rows at one distance from each other."""
    even = x.stride(0) == x.shape[2] * x.stride(2) or len(x) == 1
    return x if even and x.stride(3) == 1 else x.transpose(1, 2).contiguous().transpose(1, 2)
