# mypy: ignore-errors
"""Grouped LoRA on a CPU: every chunk of rows against its own adapter; Numba takes few rows, torch many.
Knows adapter blocks and chunks. Knows nothing of where either comes from."""

import functools

import numpy as np
import torch
from torch.nn.functional import linear

from inference.cpu_kernels.tape import launch, looks_at_numbers
from inference.cpu_kernels.vectors import BYTES, LANES, dot, kernel, load_one, prefetch, store_one
from inference.kernels.inputs import LoraChunks

_AHEAD = 4096
"""Bytes. By itself a CPU reads ahead to the end of 4096 of them and no further."""
_FEW = 16
"""Rows of a chunk up to which they are multiplied one by one."""


@kernel
def _add(
    hidden, out, anchor, offsets, first, sizes, starts, counts, bases, ranks, layouts, number, few,
    inputs, x_row, y_row,
):  # fmt: skip
    """Chunks of at most `few` rows: out[row] += B (A hidden[row]), one module after the other."""
    for chunk in range(number[0]):
        if counts[chunk] > few:
            continue
        rank = np.int64(ranks[chunk])
        scratch = np.empty(rank, np.float32)
        inner = scratch.ctypes.data
        column = 0
        for module in range(len(sizes)):
            outputs = np.int64(sizes[module])
            offset = offsets[layouts[chunk], first + module]
            if offset >= 0:
                down = anchor + (bases[chunk] + rank * offset) * BYTES
                up = down + rank * inputs * BYTES
                for row in range(starts[chunk], starts[chunk] + counts[chunk]):
                    x = hidden + row * x_row * BYTES
                    y = out + (row * y_row + column) * BYTES
                    for r in range(rank):
                        a = down + r * inputs * BYTES
                        for d in range(0, inputs, LANES):
                            prefetch(a + _AHEAD + d * BYTES)
                        store_one(inner + r * BYTES, dot(a, x, inputs))
                    for n in range(outputs):
                        b = up + n * rank * BYTES
                        prefetch(b + _AHEAD)
                        store_one(y + n * BYTES, load_one(y + n * BYTES) + dot(b, inner, rank))
            column += outputs
        scratch[0] = 0  # and until here it is there


def add_deltas(hidden: torch.Tensor, out: torch.Tensor, sizes: list[int], first: int, chunks: LoraChunks) -> None:
    """As on a GPU: hidden is (tokens, in); out is (tokens, sum of sizes) and changes in place.

    Side by side in it are the outputs of up to three modules: `first`, `first` + 1, ...
    """
    step = chunks.arrays
    inputs = hidden.shape[1]
    plain = hidden.dtype == out.dtype == chunks.anchor.dtype == torch.float32
    few = _FEW if plain else 0
    if plain:
        launch(
            _add,
            hidden.data_ptr(), out.data_ptr(), chunks.anchor.data_ptr(), step["offsets"], first, _sizes(tuple(sizes)),
            step["starts"], step["counts"], step["bases"], step["ranks"], step["layouts"], step["number"], few,
            inputs, hidden.stride(0), out.stride(0),
        )  # fmt: skip
    if plain and chunks.rows <= _FEW:
        return
    looks_at_numbers()
    many = np.flatnonzero(step["counts"][: step["number"][0]] > few)
    for base in np.unique(step["bases"][many]).tolist():
        own = many[step["bases"][many] == base]  # of one adapter, side by side
        first_chunk, last = own[0], own[-1]
        rank, layout = int(step["ranks"][last]), int(step["layouts"][last])
        rows = slice(int(step["starts"][first_chunk]), int(step["starts"][last] + step["counts"][last]))
        x, column = hidden[rows].float(), 0
        for offset, outputs in zip(step["offsets"][layout, first : first + len(sizes)].tolist(), sizes, strict=True):
            if offset >= 0:
                block = chunks.anchor.view(-1)[base + rank * offset :]
                down = block[: rank * inputs].view(rank, inputs).float()
                up = block[rank * inputs :][: outputs * rank].view(outputs, rank).float()
                out[rows, column : column + outputs] += linear(linear(x, down), up)
            column += outputs


_sizes = functools.lru_cache(np.array)
