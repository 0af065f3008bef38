# mypy: ignore-errors
"""The fused elementwise functions with their gradients, for training on a frozen model.
Knows what goes forwards and what backwards, whoever computes it. Knows nothing of modules."""

from typing import Any

import torch


class RMSNorm(torch.autograd.Function):
    """`norm` of x (..., width), and its `gradient` by x."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, norm: Any, gradient: Any) -> Any:
        ctx.save_for_backward(x)
        ctx.gradient = gradient
        return norm(x)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return ctx.gradient(x, upstream), None, None


class ActMul(torch.autograd.Function):
    """The gated activation of gate and up (..., width), by `parts`."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor, tanh: bool, parts: Any) -> Any:
        ctx.save_for_backward(gate, up)
        ctx.tanh, ctx.parts = tanh, parts
        return parts.act_mul(gate, up, tanh=tanh)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        gate, up = ctx.saved_tensors
        return *ctx.parts.act_mul_gradients(gate, up, upstream, tanh=ctx.tanh), None, None


class Rotary(torch.autograd.Function):
    """q (rows, heads, tokens, dim) and k turned by cos and sin (1, tokens, dim), by `parts`."""

    @staticmethod
    def forward(ctx: Any, q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, parts: Any) -> Any:
        ctx.save_for_backward(cos, sin)
        ctx.parts = parts
        return parts.rotary(_by_token(q), _by_token(k), cos, sin)

    @staticmethod
    def backward(ctx: Any, q: torch.Tensor, k: torch.Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        return *ctx.parts.rotary(_by_token(q), _by_token(k), cos, sin, back=True), None, None, None


def _by_token(x: torch.Tensor) -> torch.Tensor:
    """x (rows, heads, tokens, dim) with all tokens of all rows at one distance from each other."""
    even = x.stride(0) == x.shape[2] * x.stride(2) or len(x) == 1
    return x if even and x.stride(3) == 1 else x.transpose(1, 2).contiguous().transpose(1, 2)
