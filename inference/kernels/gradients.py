# mypy: ignore-errors
"""Gradients of the elementwise parts of a decoder layer in Triton, for inputs only: what they multiply by is frozen.
Knows the formulas; sums in fp32. Knows nothing of models or autograd."""

import torch
import triton
import triton.language as tl

_COLUMNS = 1024


@triton.jit
def _rms_norm(
    x, weight, upstream, out, x_row, up_row, eps, WIDTH: tl.constexpr, BLOCK: tl.constexpr, PLUS_ONE: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    d = tl.arange(0, BLOCK)
    value = tl.load(x + row * x_row + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    g = tl.load(upstream + row * up_row + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    w = tl.load(weight + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    if PLUS_ONE:
        w = 1.0 + w
    g *= w
    scale = tl.rsqrt(tl.sum(value * value, 0) / WIDTH + eps)
    # y = x s w with s = (mean x^2 + eps)^-1/2, so ds/dx = -s^3 x / width
    slope = scale * (g - value * (scale * scale * tl.sum(g * value, 0) / WIDTH))
    tl.store(out + row * WIDTH + d, slope.to(out.dtype.element_ty), mask=d < WIDTH)


@triton.jit
def _act_mul(
    gate, up, upstream, out, gate_row, up_row, upstream_row, WIDTH: tl.constexpr, COLUMNS: tl.constexpr,
    TANH: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    mask = d < WIDTH
    g = tl.load(gate + row * gate_row + d, mask=mask, other=0.0).to(tl.float32)
    u = tl.load(up + row * up_row + d, mask=mask, other=0.0).to(tl.float32)
    dy = tl.load(upstream + row * upstream_row + d, mask=mask, other=0.0).to(tl.float32)
    # Both activations are g sigmoid(z): SiLU with z = g, GELU's tanh form with a polynomial of g.
    z = g
    dz = 1.0
    if TANH:
        z = 1.5957691216057308 * (g + 0.044715 * g * g * g)
        dz = 1.5957691216057308 * (1.0 + 0.134145 * g * g)
    s = 1.0 / (1.0 + tl.exp(-z))
    out += row * 2 * WIDTH + d
    tl.store(out, (dy * u * (s + g * s * (1.0 - s) * dz)).to(out.dtype.element_ty), mask=mask)
    tl.store(out + WIDTH, (dy * g * s).to(out.dtype.element_ty), mask=mask)


def rms_norm(
    x: torch.Tensor, weight: torch.Tensor, upstream: torch.Tensor, eps: float, *, plus_one: bool
) -> torch.Tensor:
    """Of x (..., width), contiguous like the result."""
    width = x.shape[-1]
    rows, slopes = x.reshape(-1, width), upstream.reshape(-1, width)
    out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    block = triton.next_power_of_2(width)
    _rms_norm[(len(rows),)](
        rows, weight, slopes, out, rows.stride(0), slopes.stride(0), eps, WIDTH=width, BLOCK=block, PLUS_ONE=plus_one,
        num_warps=min(max(block // 512, 1), 16),
    )  # fmt: skip
    return out


def act_mul(
    gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, *, tanh: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of gate and up (..., width): the two halves of one tensor (..., 2 width)."""
    shape, width = gate.shape, gate.shape[-1]
    gate, up, upstream = gate.flatten(0, -2), up.flatten(0, -2), upstream.flatten(0, -2)
    out = torch.empty(*shape[:-1], 2 * width, dtype=gate.dtype, device=gate.device)
    _act_mul[(len(gate), -(-width // _COLUMNS))](
        gate, up, upstream, out, gate.stride(0), up.stride(0), upstream.stride(0), WIDTH=width, COLUMNS=_COLUMNS,
        TANH=tanh, num_warps=4,
    )  # fmt: skip
    first, second = out.split(width, dim=-1)
    return first, second
