# mypy: ignore-errors
"""Grouped LoRA in Triton: every chunk of rows against its own adapter, down to its rank and up again.
Knows adapter blocks and chunks. Knows nothing of where either comes from."""

# Annotations must stay objects here: Triton reads them.

from itertools import accumulate

import torch
import triton
import triton.language as tl

from inference.kernels.inputs import LoraChunks

_INPUTS, _OUTPUTS, _RANKS = 128, 256, 16  # tile sizes
_LONG = 8192


@triton.jit(do_not_specialize=["modules", "first"])
def _shrink(
    hidden, anchor, inner, starts, counts, bases, ranks, layouts, chunks, offsets, modules, first,
    x_row, i_split, i_module,
    IN: tl.constexpr, ROWS: tl.constexpr, R: tl.constexpr, WIDTH: tl.constexpr, K: tl.constexpr,
    PER: tl.constexpr, EVEN: tl.constexpr, ALIGN: tl.constexpr,
):  # fmt: skip
    """inner[split, module, row] = A x over this split's inputs."""
    split = tl.program_id(1)
    module = tl.program_id(2)
    m = tl.arange(0, ROWS)
    k = tl.arange(0, K)
    chunk = tl.program_id(0)
    number = tl.load(chunks)
    while chunk < number:
        offset = tl.load(offsets + tl.load(layouts + chunk) * modules + first + module)
        count = tl.load(counts + chunk)
        rank = tl.where(offset < 0, 0, tl.load(ranks + chunk))  # 0: this adapter leaves the module alone
        rank = tl.multiple_of(rank, 8)
        weight = tl.multiple_of(tl.load(bases + chunk) + rank * offset, ALIGN)  # of A (rank, IN), from the anchor
        rows = (tl.load(starts + chunk) + m).to(tl.int64)
        first_rank = 0
        while first_rank < rank:  # by this adapter's own rank, whatever the others' are
            r = first_rank + tl.arange(0, R)
            sums = tl.zeros((ROWS, R), tl.float32)
            for step in range(0, PER, K):
                place = split * PER + step + k
                if EVEN:
                    x = tl.load(hidden + rows[:, None] * x_row + place[None, :], mask=(m < count)[:, None], other=0.0)
                    a = tl.load(anchor + weight + r[None, :] * IN + place[:, None], mask=(r < rank)[None, :], other=0.0)
                else:
                    x_mask = (m < count)[:, None] & (place < IN)[None, :]
                    x = tl.load(hidden + rows[:, None] * x_row + place[None, :], mask=x_mask, other=0.0)
                    a_mask = (r < rank)[None, :] & (place < IN)[:, None]
                    a = tl.load(anchor + weight + r[None, :] * IN + place[:, None], mask=a_mask, other=0.0)
                sums = tl.dot(x, a, sums, input_precision="ieee")
            place = inner + split * i_split + module * i_module + rows[:, None] * WIDTH + r[None, :]
            tl.store(place, sums, mask=(m < count)[:, None] & (r < WIDTH)[None, :])
            first_rank += R
        chunk += tl.num_programs(0)


@triton.jit(do_not_specialize=["modules", "first", "tile_1", "tile_2"])
def _expand(
    out, anchor, inner, starts, counts, bases, ranks, layouts, chunks, offsets, modules, first,
    IN, tile_1, tile_2, column_1, column_2, columns, y_row, i_split, i_module,
    ROWS: tl.constexpr, R: tl.constexpr, WIDTH: tl.constexpr, N: tl.constexpr, SPLITS: tl.constexpr,
    ALIGN: tl.constexpr,
):  # fmt: skip
    """out[row] += B inner[row], N columns of one of up to three modules that lie side by side in `out`."""
    tile = tl.program_id(1)
    module = (tile >= tile_1).to(tl.int32) + (tile >= tile_2).to(tl.int32)
    low = tl.where(module == 0, 0, tl.where(module == 1, column_1, column_2))
    high = tl.where(module == 0, column_1, tl.where(module == 1, column_2, columns))
    tile -= tl.where(module == 0, 0, tl.where(module == 1, tile_1, tile_2))
    if ALIGN == 64:  # so all widths are multiples of 8
        low = tl.multiple_of(low, 8)
    m = tl.arange(0, ROWS)
    n = tile * N + tl.arange(0, N)
    chunk = tl.program_id(0)
    number = tl.load(chunks)
    while chunk < number:
        offset = tl.load(offsets + tl.load(layouts + chunk) * modules + first + module)
        if offset >= 0:
            count = tl.load(counts + chunk)
            rank = tl.multiple_of(tl.load(ranks + chunk), 8)
            weight = tl.multiple_of(tl.load(bases + chunk) + rank * (offset + IN), ALIGN)  # of B (OUT, rank)
            rows = (tl.load(starts + chunk) + m).to(tl.int64)
            delta = tl.zeros((ROWS, N), tl.float32)
            first_rank = 0
            while first_rank < rank:
                r = first_rank + tl.arange(0, R)
                b_mask = (r < rank)[:, None] & (n < high - low)[None, :]
                b = tl.load(anchor + weight + n[None, :] * rank + r[:, None], mask=b_mask, other=0.0)
                sums = tl.zeros((ROWS, R), tl.float32)
                i_mask = (m < count)[:, None] & (r < rank)[None, :]
                for split in tl.static_range(SPLITS):
                    part = inner + split * i_split + module * i_module + rows[:, None] * WIDTH + r[None, :]
                    sums += tl.load(part, mask=i_mask, other=0.0)
                delta = tl.dot(sums.to(b.dtype), b, delta, input_precision="ieee")
                first_rank += R
            place = out + rows[:, None] * y_row + low + n[None, :]
            mask = (m < count)[:, None] & (n < high - low)[None, :]
            before = tl.load(place, mask=mask, other=0.0).to(tl.float32)
            tl.store(place, (before + delta).to(out.dtype.element_ty), mask=mask)
        chunk += tl.num_programs(0)


def add_deltas(hidden: torch.Tensor, out: torch.Tensor, sizes: list[int], first: int, chunks: LoraChunks) -> None:
    """hidden is (tokens, in); out is (tokens, sum of sizes) and changes in place.

    Side by side in it are the outputs of up to three modules: `first`, `first` + 1, ...
    """
    tokens, width = hidden.shape
    # A decode step has too few chunks to fill a GPU; but each part of the inputs is one more to read afterwards.
    splits = 4 if width > _LONG else 2
    per = -(-width // (splits * _INPUTS)) * _INPUTS
    inner = torch.empty((splits, len(sizes), tokens, chunks.width), dtype=torch.float32, device=hidden.device)
    shared = (chunks.starts, chunks.counts, chunks.bases, chunks.ranks, chunks.layouts, chunks.number, chunks.offsets)
    modules = chunks.offsets.shape[1]
    _shrink[(chunks.blocks, splits, len(sizes))](
        hidden, chunks.anchor, inner, *shared, modules, first,
        hidden.stride(0), inner.stride(0), inner.stride(1),
        IN=width, ROWS=chunks.rows, R=_RANKS, WIDTH=chunks.width, K=_INPUTS,
        PER=per, EVEN=width == per * splits, ALIGN=chunks.align, num_warps=2, num_stages=3,
    )  # fmt: skip
    # Modules that are not there begin behind the last one.
    tiles = list(accumulate(-(-size // _OUTPUTS) for size in sizes))
    columns = list(accumulate(sizes))
    tiles, columns = (ends + ends[-1:] * (3 - len(ends)) for ends in (tiles, columns))
    _expand[(chunks.blocks, tiles[-1])](
        out, chunks.anchor, inner, *shared, modules, first,
        width, *tiles[:2], *columns, out.stride(0), inner.stride(0), inner.stride(1),
        ROWS=chunks.rows, R=_RANKS, WIDTH=chunks.width, N=_OUTPUTS, SPLITS=splits,
        ALIGN=chunks.align, num_warps=2,
    )  # fmt: skip
