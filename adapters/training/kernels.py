# mypy: ignore-errors
"""Cross entropy over a large vocabulary in Triton: losses, and slopes written over the logits, in one kernel.
Knows rows of logits. Knows nothing of the output layer."""

import torch
import triton
import triton.language as tl

_BLOCK = 8192


@triton.jit(do_not_specialize=["row_stride"])
def _cross_entropy(
    logits, labels, weights, losses, row_stride, WIDTH: tl.constexpr, BLOCK: tl.constexpr, SLOPES: tl.constexpr
):
    row = tl.program_id(0).to(tl.int64)
    label = tl.load(labels + row)
    weight = tl.load(weights + row)
    logits += row * row_stride
    picked = tl.load(logits + label).to(tl.float32)
    largest = -float("inf")
    total = 0.0
    for start in range(0, WIDTH, BLOCK):
        d = start + tl.arange(0, BLOCK)
        x = tl.load(logits + d, mask=d < WIDTH, other=-float("inf")).to(tl.float32)
        new = tl.maximum(largest, tl.max(x, 0))
        total = total * tl.exp(largest - new) + tl.sum(tl.exp(x - new), 0)
        largest = new
    tl.store(losses + row, (tl.log(total) + largest - picked) * weight)
    if SLOPES:
        tl.debug_barrier()  # the label's logit has been read by everyone
        for start in range(0, WIDTH, BLOCK):
            d = start + tl.arange(0, BLOCK)
            x = tl.load(logits + d, mask=d < WIDTH, other=-float("inf")).to(tl.float32)
            slope = tl.exp(x - largest) / total - tl.where(d == label, 1.0, 0.0)
            tl.store(logits + d, (slope * weight).to(logits.dtype.element_ty), mask=d < WIDTH)


def cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, slopes: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weighted losses (rows,) in fp32 of logits (rows, vocabulary), which become their own slopes when wanted."""
    rows, width = logits.shape
    losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
    block = min(_BLOCK, triton.next_power_of_2(width))
    _cross_entropy[(rows,)](
        logits, labels, weights, losses, logits.stride(0), WIDTH=width, BLOCK=block, SLOPES=slopes, num_warps=16
    )
    return losses, logits if slopes else None
