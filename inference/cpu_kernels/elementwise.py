# mypy: ignore-errors
"""The elementwise parts of a decoder layer in Numba, for a few rows in fp32; torch's operators do all else.
Knows what `inference.layers.elementwise` computes. Knows nothing of modules or autograd."""

import numpy as np
import torch

from inference.cpu_kernels.tape import launch
from inference.cpu_kernels.vectors import BYTES, LANES, dot, exp, inlined, kernel, put, splat, take, zeros
from inference.layers import elementwise
from inference.layers.elementwise import act_mul_gradients, rms_norm_gradient

__all__ = ["act_mul", "act_mul_gradients", "rms_norm", "rms_norm_gradient", "rotary"]

_FEW = 2**14
"""Numbers up to which one thread is done before torch has woken others up."""
_one = np.float32(1.0)


@kernel
def _rms_norm(x, factor, out, rows, width, x_row, eps):
    for row in range(rows):
        start = x + row * x_row * BYTES
        scale = splat(_one / np.sqrt(dot(start, start, width) / np.float32(width) + np.float32(eps)))
        for d in range(0, width, LANES):
            here = d * BYTES
            scaled = take(start + here, width - d) * scale * take(factor + here, width - d)
            put(out + row * width * BYTES + here, scaled, width - d)


def rms_norm(weight, eps, *, plus_one, round_first):
    plain = elementwise.rms_norm(weight, eps, plus_one=plus_one, round_first=round_first)
    if weight.dtype != torch.float32:
        return plain
    width = len(weight)
    factor = (weight.detach() + 1 if plus_one else weight.detach()).contiguous()
    address = factor.data_ptr()

    def norm(x):
        if x.numel() > _FEW or not x.is_contiguous():
            return plain(x)
        out = torch.empty_like(x)
        launch(_rms_norm, x.data_ptr(), address, out.data_ptr(), x.numel() // width, width, width, eps)
        return out

    norm.factor = factor  # keeps alive what `address` points to
    return norm


@kernel
def _act_mul(gate, up, out, rows, width, gate_row, up_row, tanh):
    for row in range(rows):
        for d in range(0, width, LANES):
            g = take(gate + (row * gate_row + d) * BYTES, width - d)
            u = take(up + (row * up_row + d) * BYTES, width - d)
            z = g
            if tanh:
                # GELU by tanh is g (1 + tanh y) / 2 = g sigmoid(2 y), y = sqrt(2 / pi) (g + 0.044715 g^3)
                z = splat(np.float32(1.5957691216057308)) * (g + splat(np.float32(0.044715)) * g * g * g)
            acted = g / (splat(_one) + exp(zeros() - z))
            put(out + (row * width + d) * BYTES, acted * u, width - d)


def act_mul(gate, up, *, tanh):
    width = gate.shape[-1]
    rows = gate.numel() // width
    plain = gate.dtype != torch.float32 or gate.numel() > _FEW or gate.dim() != 3 or len(gate) != 1
    if plain or gate.stride(-1) != 1 or up.stride(-1) != 1:
        return elementwise.act_mul(gate, up, tanh=tanh)
    out = torch.empty(gate.shape)
    launch(_act_mul, gate.data_ptr(), up.data_ptr(), out.data_ptr(), rows, width, gate.stride(1), up.stride(1), tanh)
    return out


@inlined
def _turn(x, out, cos, sin, tokens, heads, dim, x_token, x_head):
    half = dim // 2
    for token in range(tokens):
        for head in range(heads):
            low = x + (token * x_token + head * x_head) * BYTES
            into = out + (head * tokens + token) * dim * BYTES
            for d in range(0, half, LANES):
                here, there = d * BYTES, (d + half) * BYTES
                left = half - d
                angle = token * dim * BYTES
                a, b = take(low + here, left), take(low + there, left)
                first = a * take(cos + angle + here, left) - b * take(sin + angle + here, left)
                second = b * take(cos + angle + there, left) + a * take(sin + angle + there, left)
                put(into + here, first, left)
                put(into + there, second, left)


@kernel
def _rotary(q, k, q_out, k_out, cos, sin, tokens, heads, kv_heads, dim, q_token, q_head, k_token, k_head):
    _turn(q, q_out, cos, sin, tokens, heads, dim, q_token, q_head)
    _turn(k, k_out, cos, sin, tokens, kv_heads, dim, k_token, k_head)


def rotary(q, k, cos, sin, *, back=False):
    contiguous = cos.is_contiguous() and sin.is_contiguous() and q.stride(3) == k.stride(3) == 1
    few = q.numel() <= _FEW and q.dtype == cos.dtype == torch.float32 and len(q) == 1
    if back or not (few and contiguous):
        return elementwise.rotary(q, k, cos, sin, back=back)
    _, heads, tokens, dim = q.shape
    kv_heads = k.shape[1]
    q_out, k_out = torch.empty(q.shape), torch.empty(k.shape)
    launch(
            _rotary,
        q.data_ptr(), k.data_ptr(), q_out.data_ptr(), k_out.data_ptr(), cos.data_ptr(), sin.data_ptr(),
        tokens, heads, kv_heads, dim, q.stride(2), q.stride(1), k.stride(2), k.stride(1),
    )  # fmt: skip
    return q_out, k_out
