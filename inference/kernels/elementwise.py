# mypy: ignore-errors
"""The elementwise parts of a decoder layer in Triton, one kernel each: RMSNorm, gated activation, rotary embedding.
Knows where plain torch rounds to the model's dtype, and rounds there too; gradients are those of the inputs, as what
they multiply by is frozen. Knows nothing of models or autograd."""

# Annotations must stay objects here: Triton reads them. How many tokens there are reaches a kernel through its grid, or
# unspecialised: no batch size makes Triton compile again.

import functools
from collections.abc import Callable

import torch
import triton
import triton.language as tl

_COLUMNS = 1024  # of a gated activation, for one program


@triton.jit(do_not_specialize=["inner"])
def _rms_norm(
    x, weight, out, inner, x_outer, x_inner, eps,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, PLUS_ONE: tl.constexpr, ROUND_FIRST: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    place = x + (row // inner).to(tl.int64) * x_outer + (row % inner).to(tl.int64) * x_inner
    d = tl.arange(0, BLOCK)
    value = tl.load(place + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    w = tl.load(weight + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    value = value * tl.rsqrt(tl.sum(value * value, 0) / WIDTH + eps)
    if ROUND_FIRST:
        value = value.to(out.dtype.element_ty).to(tl.float32)
    if PLUS_ONE:
        w = 1.0 + w
    tl.store(out + row.to(tl.int64) * WIDTH + d, (value * w).to(out.dtype.element_ty), mask=d < WIDTH)


@triton.jit
def _act_mul(gate, up, out, gate_row, up_row, WIDTH: tl.constexpr, COLUMNS: tl.constexpr, TANH: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    d = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    g = tl.load(gate + row * gate_row + d, mask=d < WIDTH, other=0.0).to(tl.float32)
    u = tl.load(up + row * up_row + d, mask=d < WIDTH, other=0.0)
    z = g
    if TANH:
        # GELU by tanh is g (1 + tanh y) / 2 = g sigmoid(2 y), y = sqrt(2 / pi) (g + 0.044715 g^3)
        z = 1.5957691216057308 * (g + 0.044715 * g * g * g)
    acted = (g / (1.0 + tl.exp(-z))).to(u.dtype)
    product = acted.to(tl.float32) * u.to(tl.float32)
    tl.store(out + row * WIDTH + d, product.to(u.dtype), mask=d < WIDTH)


@triton.jit
def _rotate(
    x, out, x_head, cos_low, cos_high, sin_low, sin_high,
    HEADS: tl.constexpr, HEADS_P: tl.constexpr, HALF: tl.constexpr, HALF_P: tl.constexpr, ROUND: tl.constexpr,
):  # fmt: skip
    """All heads of one token: x cos + (-high, low) sin, every product rounded before the sum where torch does so."""
    h = tl.arange(0, HEADS_P)[:, None]
    d = tl.arange(0, HALF_P)[None, :]
    mask = (h < HEADS) & (d < HALF)
    low = tl.load(x + h * x_head + d, mask=mask, other=0.0)
    high = tl.load(x + h * x_head + HALF + d, mask=mask, other=0.0)
    dtype = low.dtype
    low = low.to(tl.float32)
    high = high.to(tl.float32)
    low_cos, low_sin, high_cos, high_sin = low * cos_low, low * sin_high, high * cos_high, high * sin_low
    if ROUND:
        low_cos, low_sin = low_cos.to(dtype).to(tl.float32), low_sin.to(dtype).to(tl.float32)
        high_cos, high_sin = high_cos.to(dtype).to(tl.float32), high_sin.to(dtype).to(tl.float32)
    place = out + h * (2 * HALF) + d
    tl.store(place, (low_cos - high_sin).to(dtype), mask=mask)
    tl.store(place + HALF, (high_cos + low_sin).to(dtype), mask=mask)


@triton.jit(do_not_specialize=["tokens"])
def _rotary(
    q, k, cos, sin, q_out, k_out, tokens, q_token, q_head, k_token, k_head, cos_token, sin_token,
    Q_HEADS: tl.constexpr, Q_HEADS_P: tl.constexpr, K_HEADS: tl.constexpr, K_HEADS_P: tl.constexpr,
    HALF: tl.constexpr, HALF_P: tl.constexpr, BACK: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    round_products: tl.constexpr = cos.dtype == q.dtype
    d = tl.arange(0, HALF_P)[None, :]
    cos += token % tokens * cos_token
    sin += token % tokens * sin_token
    cos_low = tl.load(cos + d, mask=d < HALF, other=0.0).to(tl.float32)
    cos_high = tl.load(cos + HALF + d, mask=d < HALF, other=0.0).to(tl.float32)
    sin_low = tl.load(sin + d, mask=d < HALF, other=0.0).to(tl.float32)
    sin_high = tl.load(sin + HALF + d, mask=d < HALF, other=0.0).to(tl.float32)
    if BACK:
        # The transposed rotation has the other half's sines, with the other sign.
        sin_low, sin_high = -sin_high, -sin_low
    _rotate(
        q + token * q_token, q_out + token * (Q_HEADS * 2 * HALF), q_head, cos_low, cos_high, sin_low, sin_high,
        Q_HEADS, Q_HEADS_P, HALF, HALF_P, round_products,
    )  # fmt: skip
    _rotate(
        k + token * k_token, k_out + token * (K_HEADS * 2 * HALF), k_head, cos_low, cos_high, sin_low, sin_high,
        K_HEADS, K_HEADS_P, HALF, HALF_P, round_products,
    )  # fmt: skip


@triton.jit
def _rms_norm_gradient(
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
def _act_mul_gradients(
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
    weight: torch.Tensor, eps: float, *, plus_one: bool, round_first: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of x (..., width) with contiguous rows, whatever the other strides; its result is contiguous.

    `plus_one`: the factor is 1 + weight. `round_first`: to x's dtype before the product with it, not only after. What
    is handed in as fp32 is rounded once, to the weight's dtype.
    """
    width = len(weight)
    block = triton.next_power_of_2(width)
    constants = {"WIDTH": width, "BLOCK": block, "PLUS_ONE": plus_one}
    warps = min(max(block // 512, 1), 16)  # 16 numbers a thread: two loads of 16 bytes in bf16

    def norm(x: torch.Tensor) -> torch.Tensor:
        out = torch.empty(x.shape, dtype=weight.dtype, device=x.device)
        round_here = round_first and x.dtype == weight.dtype
        if x.dim() > 3:
            x = x.flatten(0, -3)
        outer = x.stride(0) if x.dim() == 3 else 0
        inner, step = (x.shape[-2], x.stride(-2)) if x.dim() > 1 else (1, 0)
        rows = x.numel() // width
        _rms_norm[(rows,)](
            x, weight, out, inner, outer, step, eps, **constants, ROUND_FIRST=round_here, num_warps=warps
        )
        return out

    return norm


def rms_norm_gradient(
    weight: torch.Tensor, eps: float, *, plus_one: bool
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """A function of x (..., width) and of the gradient of its norm; its result is contiguous."""
    width = len(weight)
    block = triton.next_power_of_2(width)
    constants = {"WIDTH": width, "BLOCK": block, "PLUS_ONE": plus_one, "num_warps": min(max(block // 512, 1), 16)}

    def gradient(x: torch.Tensor, upstream: torch.Tensor) -> torch.Tensor:
        rows, slopes = x.reshape(-1, width), upstream.reshape(-1, width)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device)
        _rms_norm_gradient[(len(rows),)](rows, weight, slopes, out, rows.stride(0), slopes.stride(0), eps, **constants)
        return out

    return gradient


def act_mul(gate: torch.Tensor, up: torch.Tensor, *, tanh: bool) -> torch.Tensor:
    """SiLU(gate) * up, or with `tanh` GELU's tanh form; (..., width) both, contiguous as a result."""
    out = torch.empty(gate.shape, dtype=gate.dtype, device=gate.device)
    gate, up = gate.flatten(0, -2), up.flatten(0, -2)
    rows, width = gate.shape
    _act_mul[(rows, -(-width // _COLUMNS))](
        gate, up, out, gate.stride(0), up.stride(0), WIDTH=width, COLUMNS=_COLUMNS, TANH=tanh, num_warps=4
    )
    return out


def act_mul_gradients(
    gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, *, tanh: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of gate and up (..., width): the two halves of one tensor (..., 2 width)."""
    out = torch.empty(*gate.shape[:-1], 2 * gate.shape[-1], dtype=gate.dtype, device=gate.device)
    first, second = out.chunk(2, dim=-1)
    gate, up, upstream = gate.flatten(0, -2), up.flatten(0, -2), upstream.flatten(0, -2)
    rows, width = gate.shape
    _act_mul_gradients[(rows, -(-width // _COLUMNS))](
        gate, up, upstream, out, gate.stride(0), up.stride(0), upstream.stride(0), WIDTH=width, COLUMNS=_COLUMNS,
        TANH=tanh, num_warps=4,
    )  # fmt: skip
    return first, second


def rotary(
    q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *, back: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """q and k turned, or turned `back`.

    q is (rows, heads, tokens, dim), k is (rows, kv_heads, tokens, dim), cos and sin are (1, tokens, dim), in the same
    dtype or, which rounds once, in fp32. All are contiguous in dim, and a row begins where the one before it ends. So
    it is in the results, which lie token by token: transposed, they are contiguous.
    """
    rows, _, tokens, dim = q.shape
    q_out, k_out = (
        torch.empty(rows, tokens, x.shape[1], dim, dtype=q.dtype, device=q.device).transpose(1, 2) for x in (q, k)
    )
    _rotary[(rows * tokens,)](
        q, k, cos, sin, q_out, k_out, tokens,
        q.stride(2), q.stride(1), k.stride(2), k.stride(1), cos.stride(1), sin.stride(1),
        **_rotary_constants(q.shape[1], k.shape[1], dim), BACK=back,
    )  # fmt: skip
    return q_out, k_out


@functools.cache
def _rotary_constants(q_heads: int, k_heads: int, dim: int) -> dict[str, int | bool]:
    half = dim // 2
    half_padded, q_padded, k_padded = (triton.next_power_of_2(n) for n in (half, q_heads, k_heads))
    return {
        "Q_HEADS": q_heads, "Q_HEADS_P": q_padded, "K_HEADS": k_heads, "K_HEADS_P": k_padded,
        "HALF": half, "HALF_P": half_padded,
        "num_warps": min(max(q_padded * half_padded // 512, 1), 8),
        "enable_fp_fusion": False,  # torch rounds products before it adds them, in fp32 as well
    }  # fmt: skip
