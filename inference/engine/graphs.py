"""Decode steps as captured CUDA graphs: a step of a thousand launches becomes one.
Knows batch sizes and what a graph must find in place. Knows nothing of requests."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from inference.engine.batch import PackedBatch
from inference.engine.batch_tensors import Buffers, rank_class
from inference.engine.cache import KVPool
from inference.engine.model import PackedModel
from inference.engine.pages import pages_for


@dataclass(frozen=True, kw_only=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    logits: torch.Tensor
    """(size, vocabulary), in memory that all graphs share: valid until the next one runs."""
    likeliest: torch.Tensor
    """(size,) token ids."""


class DecodeGraphs:
    """A graph for every size of batch and class of ranks. Class 0 is the base model alone, without any LoRA."""

    def __init__(self, model: PackedModel, pool: KVPool, *, max_running: int, context: int) -> None:
        assert model.adapter_table is not None
        self._model = model
        self._pool = pool
        self._sizes = sizes(max_running)
        most = self._sizes[-1]
        self._buffers = Buffers(
            tokens=most, pieces=most, tiles=0, pages=most * pages_for(context), adapters=model.adapter_table
        )
        self._graphs: dict[tuple[int, int], _Graph] = {}
        self._memory = torch.cuda.graph_pool_handle()
        self.prepare(0)

    def prepare(self, rank: int) -> None:
        """Capture all sizes for a class of ranks, the largest first, since the others fit into its memory."""
        if (self._sizes[0], rank) in self._graphs:
            return
        self._buffers.clear()  # what runs while capturing must not write to anybody's pages
        torch.cuda.synchronize()
        for size in reversed(self._sizes):
            self._graphs[size, rank] = self._capture(size, rank)

    def run(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (pieces, vocabulary) and the likeliest tokens (pieces,) of a batch that only decodes."""
        pieces = len(batch.pieces)
        size = next(size for size in self._sizes if size >= pieces)
        self._buffers.fill(batch, pad=size)
        captured = self._graphs[size, rank_class(adapter for adapter, _ in batch.adapters)]
        captured.graph.replay()
        return captured.logits[:pieces], captured.likeliest[:pieces]

    def _capture(self, size: int, rank: int) -> _Graph:
        tensors = self._buffers.tensors(tokens=size, decoding=size, chunks=size, rank=rank)
        batch = PackedBatch(pool=self._pool, tensors=tensors)

        def step() -> tuple[torch.Tensor, torch.Tensor]:
            logits = self._model.forward(batch, tensors.tokens, tensors.positions, 0)
            return logits, logits.argmax(dim=-1)

        step()  # compiles kernels and sets libraries up, which a capture cannot
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory):
            logits, likeliest = step()
        return _Graph(graph=graph, logits=logits, likeliest=likeliest)


def sizes(most: int) -> list[int]:
    """Steps of 8 up to 64, of 16 up to 128, of 32 beyond: little of a batch is padding, and few graphs are kept."""
    steps = [1, 2, 4, *range(8, 64, 8), *range(64, 128, 16), *range(128, most, 32)]
    return [*(size for size in steps if size < most), most]
