"""A packed batch as tensors for kernels, all in one buffer: one copy to the device, and fixed places for graphs.
Knows what the kernels want to be told. Knows nothing of models."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch

from adapters.lora_files import Adapter, Layout, Target
from inference.engine.prefix import PAGE
from inference.kernels.inputs import PREFILL_ROWS, BatchTensors, LoraChunks

if TYPE_CHECKING:
    from inference.engine.batch import PackedBatch

PREFILL_CHUNK = 32
"""Rows of one adapter that one block of the LoRA kernels takes at once in a step with prompts: measured on an H100."""
_DECODE_CHUNK = 16
_MOST_BLOCKS = 160


class AdapterTable:
    """Where the modules lie in adapters' blocks, for kernels: a row of `offsets` for each layout, -1 where it has none.

    Kernels find a block by its distance from `anchor`, the beginning of the memory that all blocks lie in.
    """

    def __init__(self, target: Target, anchor: torch.Tensor, layouts: int = 1024) -> None:
        self._modules = list(target.modules)
        # Ranks are multiples of 8; blocks begin with a frame.
        widths = [width for shape in target.modules.values() for width in shape]
        self.align = 64 if all(width % 8 == 0 for width in [*widths, anchor.shape[1] // 8]) else 8
        self.max_rank = -(-target.max_rank // 16) * 16
        self._known: set[int] = set()
        self.anchor = anchor
        self.offsets = torch.full((layouts, len(self._modules)), -1, dtype=torch.int64, device=anchor.device)

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


class Buffers:
    """Room for `tokens` rows, of which `pieces` sequences; `tiles` prefill tiles, and tables of `pages` in all."""

    def __init__(
        self, *, tokens: int, pieces: int, tiles: int, pages: int, adapters: AdapterTable, chosen: torch.Tensor
    ) -> None:
        sizes = {"bases": 2 * tokens}  # 64 bits each
        rows = ("tokens", "sources", "positions", "slots", "starts", "counts", "ranks", "layouts")
        sizes |= dict.fromkeys(rows, tokens)
        sizes |= dict.fromkeys(("pieces", "rows", "lengths", "ends"), pieces)
        sizes |= {"tiles": 4 * _aligned(tiles), "number": 1, "width": 1, "table": pages}
        # Kernels are compiled for what pointers are divisible by: everything begins at 64 bytes.
        ends = np.cumsum([_aligned(size) for size in sizes.values()]).tolist()
        starts = dict(zip(sizes, [0, *ends], strict=False))
        device = adapters.anchor.device
        self._host = torch.zeros(ends[-1], dtype=torch.int32, pin_memory=device.type == "cuda")
        self._device = torch.zeros(ends[-1], dtype=torch.int32, device=device)
        self._adapters = adapters
        self._chosen = chosen
        self._sent: torch.cuda.Event | None = None
        self._tiles = tiles
        self._table = starts["table"]
        self.host = {name: self._host[starts[name] : starts[name] + sizes[name]].numpy() for name in sizes}
        self.device = {name: self._device[starts[name] : starts[name] + sizes[name]] for name in sizes}

    def fill(self, batch: PackedBatch, rows: list[int], pad: int = 0) -> None:
        """Write the batch, of which `rows` are to be answered, and send it off.

        Rows up to `pad` belong to nobody: nothing reads what becomes of them, and their keys go to frame 0.
        """
        if self._sent is not None:
            self._sent.synchronize()  # the last batch may still be on its way
        host = self.host
        total, pieces = len(batch.tokens), len(batch.pieces)
        held = np.array([len(piece.pages) for piece in batch.pieces])
        past = np.array([piece.past for piece in batch.pieces])
        first = np.array([piece.rows.start for piece in batch.pieces])
        counts = np.diff(first, append=total)
        width = int(held.max())
        table = host["table"][: pieces * width].reshape(-1, width)
        table[:] = 0
        pages = np.fromiter(chain.from_iterable(piece.pages for piece in batch.pieces), np.int32, int(held.sum()))
        table[np.arange(width) < held[:, None]] = batch.cache.memory.frame_of[pages]
        host["width"][0] = width
        for name in ("tokens", "positions", "slots"):
            host[name][total:pad] = 0
        host["sources"][total:pad] = -1
        host["tokens"][:total] = batch.tokens
        host["sources"][:total] = batch.sources
        host["positions"][:total] = positions = np.array(batch.positions)
        frames = table[np.repeat(np.arange(pieces), counts), positions // PAGE]
        host["slots"][:total] = frames * PAGE + positions % PAGE
        decoding = np.flatnonzero(counts == 1)
        for name, values in (("pieces", decoding), ("rows", first[decoding]), ("lengths", past[decoding] + 1)):
            host[name][: len(values)] = values
        host["lengths"][len(decoding) :] = 0  # nothing to do there
        host["ends"][: len(rows)] = rows
        host["ends"][len(rows) :] = 0
        if self._tiles:
            tiles = host["tiles"].reshape(4, -1)
            tiles[3] = 0  # nothing to do but in those that follow
            found = _tiles(first, past, counts)
            tiles[:, : found.shape[1]] = found
        self._fill_chunks(batch)
        used = self._table + table.size
        self._device[:used].copy_(self._host[:used], non_blocking=True)
        if self._device.is_cuda:
            self._sent = self._sent or torch.cuda.Event()
            self._sent.record()

    def clear(self) -> None:
        """Room without a batch: nothing to do for anybody, and all keys go to frame 0."""
        self._device.zero_()
        self.device["sources"].fill_(-1)

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
        return PREFILL_CHUNK if self._tiles else _DECODE_CHUNK

    def tensors(self, *, tokens: int, decoding: int, tiles: int, chunks: int) -> BatchTensors:
        """The beginning of every field; `chunks` is about how many there will be, and 0 leaves LoRA out."""
        device = self.device
        lora = None
        if chunks:
            lora = LoraChunks(
                anchor=self._adapters.anchor,
                offsets=self._adapters.offsets,
                starts=device["starts"],
                counts=device["counts"],
                bases=device["bases"].view(torch.int64),
                ranks=device["ranks"],
                layouts=device["layouts"],
                number=device["number"],
                blocks=min(chunks, _MOST_BLOCKS),
                rows=self._chunk_rows,
                width=self._adapters.max_rank,
                align=self._adapters.align,
            )
        return BatchTensors(
            tokens=device["tokens"][:tokens],
            sources=device["sources"][:tokens],
            chosen=self._chosen,
            positions=device["positions"][:tokens],
            slots=device["slots"][:tokens],
            table=device["table"],
            width=device["width"],
            pieces=device["pieces"][:decoding],
            rows=device["rows"][:decoding],
            lengths=device["lengths"][:decoding],
            tiles=device["tiles"].view(4, -1)[:, :tiles],
            ends=device["ends"],
            lora=lora,
        )


def pack(batch: PackedBatch, rows: list[int], adapters: AdapterTable, chosen: torch.Tensor) -> BatchTensors:
    """A batch of any kind in buffers of its own."""
    counts, tiles = batch.counts, prefill_tiles(batch)
    buffers = Buffers(
        tokens=len(batch.tokens),
        pieces=max(len(counts), len(rows)),
        tiles=tiles,
        pages=len(counts) * max(len(piece.pages) for piece in batch.pieces),
        adapters=adapters,
        chosen=chosen,
    )
    buffers.fill(batch, rows)
    return buffers.tensors(
        tokens=len(batch.tokens),
        decoding=counts.count(1),
        tiles=tiles,
        chunks=int(buffers.host["number"][0]),
    )


def prefill_tiles(batch: PackedBatch) -> int:
    """Blocks of the prefill kernel that the prompts of a batch need."""
    return sum(-(-count // PREFILL_ROWS) for count in batch.counts if count > 1)


def read_tokens(batch: BatchTensors) -> torch.Tensor:
    """(tokens,) ids, among them those that the step before has chosen."""
    known = batch.sources < 0
    return torch.where(known, batch.tokens, batch.chosen[batch.sources.clamp(min=0)].int())


def _aligned(size: int) -> int:
    """So many 32-bit numbers that what follows begins at 64 bytes."""
    return -(-size // 16) * 16


def _tiles(first: np.ndarray, past: np.ndarray, counts: np.ndarray) -> np.ndarray:
    tiles = [
        (piece, first[piece] + start, past[piece] + start, min(PREFILL_ROWS, counts[piece] - start))
        for piece in np.flatnonzero(counts > 1)
        for start in range(0, counts[piece], PREFILL_ROWS)
    ]
    return np.array(tiles, dtype=np.int32).reshape(-1, 4).T
