"""A packed batch as tensors for kernels, all in one buffer: one copy to the device, and fixed places for graphs.
Knows what the kernels want to be told. Knows nothing of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

from inference.engine.adapters import Adapter, Layout
from inference.engine.pages import PAGE

if TYPE_CHECKING:
    from inference.engine.batch import PackedBatch

PREFILL_ROWS = 64
"""Tokens of one sequence that one block of the prefill kernel takes."""
_DECODE_CHUNK, _PREFILL_CHUNK = 16, 64


class AdapterTable:
    """Where the modules lie in adapters' blocks, for kernels: a row of `offsets` for each layout, -1 where it has none.

    Blocks lie anywhere on the device; kernels find them by their distance from `anchor`.
    """

    def __init__(
        self, modules: Mapping[str, tuple[int, int]], dtype: torch.dtype, device: torch.device, layouts: int = 1024
    ) -> None:
        self._modules = list(modules)
        # Ranks are multiples of 8; torch aligns every block to 64 bytes at least.
        self.align = 64 if all(width % 8 == 0 for shape in modules.values() for width in shape) else 8
        self._known: set[int] = set()
        self.anchor = torch.zeros(256, dtype=dtype, device=device)
        self.offsets = torch.full((layouts, len(modules)), -1, dtype=torch.int64, device=device)

    def number(self, layout: Layout) -> int:
        if layout.number not in self._known:
            assert layout.number < len(self.offsets), "more sets of target modules than the table has rows"
            starts = torch.tensor([layout.starts.get(name, -1) for name in self._modules])
            self.offsets[layout.number] = starts.to(self.offsets.device)
            self._known.add(layout.number)
        return layout.number

    def base(self, adapter: Adapter) -> int:
        """Of its block, in values from the anchor."""
        return (adapter.block.data_ptr() - self.anchor.data_ptr()) // adapter.block.itemsize


@dataclass(frozen=True, kw_only=True)
class LoraChunks:
    """Rows of one adapter in pieces of at most `rows`, so that the work grows with tokens, not with adapters."""

    anchor: torch.Tensor
    offsets: torch.Tensor
    """(layouts, modules), see AdapterTable."""
    starts: torch.Tensor
    """First row of each chunk; this and those below are (chunks,)."""
    counts: torch.Tensor
    """Rows."""
    bases: torch.Tensor
    """Where the adapter's block begins, in values from `anchor`."""
    ranks: torch.Tensor
    """Padded."""
    layouts: torch.Tensor
    """Row of `offsets`."""
    number: torch.Tensor
    """(1,): chunks that are real, the others are room."""
    rows: int
    """Of a chunk at most."""
    rank: int
    """Power of two that no rank exceeds."""
    align: int
    """Every A and B begins at a multiple of this many values."""


@dataclass(frozen=True, kw_only=True)
class BatchTensors:
    """What the kernels read of one step."""

    tokens: torch.Tensor
    """(tokens,) ids."""
    positions: torch.Tensor
    """(tokens,) in their sequences."""
    slots: torch.Tensor
    """(tokens,) of the cache, where their keys and values go."""
    table: torch.Tensor
    """Pages of every piece, `width` (1,) entries each."""
    width: torch.Tensor
    pieces: torch.Tensor
    """(decoding,): rows of the table that decode, then their rows in the batch and the tokens they see."""
    rows: torch.Tensor
    lengths: torch.Tensor
    tiles: torch.Tensor
    """(4, tiles) of prefilling pieces: row of the table, first row, tokens before it, rows."""
    lora: LoraChunks | None


class Buffers:
    """Room for `tokens` rows, of which `pieces` sequences; `tiles` prefill tiles, and tables of `pages` in all."""

    def __init__(self, *, tokens: int, pieces: int, tiles: int, pages: int, adapters: AdapterTable) -> None:
        sizes = dict.fromkeys(("bases",), 2 * tokens)  # 64 bits each
        sizes |= dict.fromkeys(("tokens", "positions", "slots", "starts", "counts", "ranks", "layouts"), tokens)
        sizes |= dict.fromkeys(("pieces", "rows", "lengths"), pieces)
        sizes |= {"tiles": 4 * tiles, "number": 1, "width": 1, "table": pages}
        # Kernels are compiled for what pointers are divisible by: everything begins at 64 bytes.
        ends = np.cumsum([-(-size // 16) * 16 for size in sizes.values()]).tolist()
        starts = dict(zip(sizes, [0, *ends], strict=False))
        device = adapters.anchor.device
        self._host = torch.zeros(ends[-1], dtype=torch.int32, pin_memory=device.type == "cuda")
        self._device = torch.zeros(ends[-1], dtype=torch.int32, device=device)
        self._adapters = adapters
        self._tiles = tiles
        self._table = starts["table"]
        self._sizes = sizes
        self.host = {name: self._host[starts[name] : starts[name] + sizes[name]].numpy() for name in sizes}
        self.device = {name: self._device[starts[name] : starts[name] + sizes[name]] for name in sizes}

    def fill(self, batch: PackedBatch, pad: int = 0) -> None:
        """Write the batch and send it off. Rows up to `pad` decode nothing: their keys go to page 0.

        The caller sees to it that the copy of the last one is over.
        """
        host = self.host
        total, pieces = len(batch.tokens), len(batch.pieces)
        held = np.array([len(piece.pages) for piece in batch.pieces])
        past = np.array([piece.past for piece in batch.pieces])
        first = np.array([piece.rows.start for piece in batch.pieces])
        counts = np.diff(first, append=total)
        width = int(held.max())
        table = host["table"][: max(pieces, pad) * width].reshape(-1, width)
        table[:] = 0
        table[:pieces][np.arange(width) < held[:, None]] = list(chain.from_iterable(p.pages for p in batch.pieces))
        host["width"][0] = width
        for name in ("tokens", "positions", "slots"):
            host[name][total:pad] = 0
        host["tokens"][:total] = batch.tokens
        host["positions"][:total] = positions = np.array(batch.positions)
        pages = table[np.repeat(np.arange(pieces), counts), positions // PAGE]
        host["slots"][:total] = pages * PAGE + positions % PAGE
        decoding = np.flatnonzero(counts == 1)
        for name, values, rest in (
            ("pieces", decoding, 0),
            ("rows", first[decoding], 0),
            ("lengths", past[decoding] + 1, 1),
        ):
            host[name][len(values) : pad] = rest
            host[name][: len(values)] = values
        if pad:
            host["pieces"][pieces:pad] = host["rows"][pieces:pad] = np.arange(pieces, pad)
        if self._tiles:
            host["tiles"].reshape(4, -1)[:] = _tiles(first, past, counts)
        self._fill_chunks(batch)
        used = self._table + table.size
        self._device[:used].copy_(self._host[:used], non_blocking=True)

    def clear(self) -> None:
        """Room without a batch: sequences of one token, all of them page 0's, and no chunk of any adapter."""
        self._device.zero_()
        self.device["lengths"].fill_(1)

    def _fill_chunks(self, batch: PackedBatch) -> None:
        step = self._chunk_rows
        chunks = [
            (start, min(step, rows.stop - start), adapter.padded, number, base)
            for adapter, rows in batch.adapters
            for number, base in [(self._adapters.number(adapter.layout), self._adapters.base(adapter))]
            for start in range(rows.start, rows.stop, step)
        ]
        self.host["number"][0] = len(chunks)
        if chunks:
            starts, counts, ranks, layouts, bases = zip(*chunks, strict=True)
            fields = {"starts": starts, "counts": counts, "ranks": ranks, "layouts": layouts}
            for name, values in fields.items():
                self.host[name][: len(chunks)] = values
            self.host["bases"].view(np.int64)[: len(chunks)] = bases

    @property
    def _chunk_rows(self) -> int:
        return _PREFILL_CHUNK if self._tiles else _DECODE_CHUNK

    def tensors(self, *, tokens: int, decoding: int, chunks: int, rank: int) -> BatchTensors:
        """The beginning of every field; `rank` 0 leaves LoRA out."""
        device = self.device
        lora = None
        if rank:
            lora = LoraChunks(
                anchor=self._adapters.anchor,
                offsets=self._adapters.offsets,
                starts=device["starts"][:chunks],
                counts=device["counts"][:chunks],
                bases=device["bases"].view(torch.int64)[:chunks],
                ranks=device["ranks"][:chunks],
                layouts=device["layouts"][:chunks],
                number=device["number"],
                rows=self._chunk_rows,
                rank=rank,
                align=self._adapters.align,
            )
        return BatchTensors(
            tokens=device["tokens"][:tokens],
            positions=device["positions"][:tokens],
            slots=device["slots"][:tokens],
            table=device["table"],
            width=device["width"],
            pieces=device["pieces"][:decoding],
            rows=device["rows"][:decoding],
            lengths=device["lengths"][:decoding],
            tiles=device["tiles"].view(4, -1),
            lora=lora,
        )


def pack(batch: PackedBatch, adapters: AdapterTable) -> BatchTensors:
    """A batch of any kind in buffers of its own."""
    counts = [piece.rows.stop - piece.rows.start for piece in batch.pieces]
    buffers = Buffers(
        tokens=len(batch.tokens),
        pieces=len(counts),
        tiles=sum(-(-count // PREFILL_ROWS) for count in counts if count > 1),
        pages=len(counts) * max(len(piece.pages) for piece in batch.pieces),
        adapters=adapters,
    )
    buffers.fill(batch)
    return buffers.tensors(
        tokens=len(batch.tokens),
        decoding=counts.count(1),
        chunks=int(buffers.host["number"][0]),
        rank=rank_class([adapter for adapter, _ in batch.adapters]),
    )


def rank_class(adapters: Iterable[Adapter]) -> int:
    """Power of two, 16 at least, that no rank exceeds: kernels are compiled for it. 0 for the base model alone."""
    largest = max((adapter.padded for adapter in adapters), default=0)
    return max(16, 1 << (largest - 1).bit_length()) if largest else 0


def _tiles(first: np.ndarray, past: np.ndarray, counts: np.ndarray) -> np.ndarray:
    tiles = [
        (piece, first[piece] + start, past[piece] + start, min(PREFILL_ROWS, counts[piece] - start))
        for piece in np.flatnonzero(counts > 1)
        for start in range(0, counts[piece], PREFILL_ROWS)
    ]
    return np.array(tiles, dtype=np.int32).T
