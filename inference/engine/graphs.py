"""Captured steps: a thousand calls from Python become one, a CUDA graph, or on a CPU a bare list of calls.
Knows sizes of steps and what a graph must find in place. Knows nothing of requests."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch.utils.benchmark import Timer

from inference.engine import kernels
from inference.engine.batch import PackedBatch
from inference.engine.batch_tensors import PREFILL_CHUNK, Buffers, prefill_tiles, read_tokens
from inference.engine.cache import KVCache
from inference.engine.model import PackedModel
from inference.engine.prefix import pages_for
from inference.kernels.inputs import PREFILL_ROWS

_SPARE = 128
"""Prompts in one step beyond which its tiles may not do: such steps run without a graph."""


class StepGraphs:
    """Graphs for steps that only decode, and for steps that read prompts too; each with LoRA, and for the base alone.

    A graph reads the tokens that the step before has chosen, and leaves the likeliest ones in their place.
    """

    def __init__(
        self, model: PackedModel, cache: KVCache, *, max_running: int, prefill_tokens: int, context: int
    ) -> None:
        self._kernels = kernels.on(model.device)
        self._model = model
        self._cache = cache
        self._max_running = max_running
        most = prefill_tokens + max_running
        self._decode_sizes, self._mixed_sizes = [*range(1, max_running + 1)], []
        if self._kernels.runs_ahead:
            # Little of a step is padding, and few graphs are kept.
            few = (1, 2, 4, *range(8, 64, 8), *range(64, 128, 16), *range(128, 4096, 32))
            self._decode_sizes = _up_to(max_running, *few)
            self._mixed_sizes = _up_to(most, *range(64, 512, 64), *range(512, 1024, 128), *range(1024, 2**16, 256))
        pages = max_running * pages_for(context)
        room = partial(Buffers, pieces=max_running, pages=pages, adapters=model.table, chosen=model.chosen)
        self._decode, self._mixed = room(tokens=max_running, tiles=0), room(tokens=most, tiles=_tiles(most))
        # Graphs share their memory, and so what one of them leaves there is gone with the next.
        self._logits = torch.empty((max_running, model.vocabulary), dtype=torch.float32, device=model.device)
        self._memory = self._kernels.shared()
        self._graphs: dict[tuple[int, bool, bool], Any] = {}
        # The largest first, since the others fit into its memory.
        keys = [(size, self._mixed) for size in reversed(self._mixed_sizes)]
        keys += [(size, self._decode) for size in reversed(self._decode_sizes)]
        if not self._kernels.runs_ahead:
            keys = keys[:1]  # on a CPU capturing takes no longer than the step: each size when it is first asked for
        for size, buffers in keys:
            for lora in (True, False):
                self._capture(size, buffers, lora)
        if model.device.type == "cuda":
            self._drop_slow_sizes()

    def run(self, batch: PackedBatch, rows: list[int]) -> torch.Tensor | None:
        """Logits behind `rows`, (rows, vocabulary); the likeliest tokens are in `model.chosen`.

        None when no graph fits.
        """
        tokens, pieces = len(batch.tokens), len(batch.pieces)
        if batch.decodes and len(rows) == pieces:
            buffers, fitting = self._decode, self._decode_sizes
        else:
            buffers, fitting = self._mixed, self._mixed_sizes
        size = next((size for size in fitting if size >= tokens), None)
        if size is None or (buffers is self._mixed and prefill_tiles(batch) > _tiles(size)):
            return None
        key = size, buffers is self._mixed, bool(batch.adapters)
        if key not in self._graphs:
            chosen = self._model.chosen.clone()  # by the step before: capturing leaves others in their place
            self._capture(size, buffers, bool(batch.adapters))
            self._model.chosen.copy_(chosen)
        if self._graphs[key] is None:
            return None
        buffers.fill(batch, rows, pad=size)
        self._graphs[key].replay()
        return self._logits[: len(rows)]

    def close(self) -> None:
        self._graphs.clear()

    def _capture(self, size: int, buffers: Buffers, lora: bool) -> None:
        mixed = buffers is self._mixed
        tensors = buffers.tensors(
            tokens=size,
            decoding=min(size, self._max_running),
            tiles=_tiles(size) if mixed else 0,
            # Kernels go through all chunks whatever their number, so this is about the usual one.
            chunks=(size if not mixed else size // PREFILL_CHUNK + _SPARE) if lora else 0,
        )
        answers = min(size, self._max_running)
        tensors = replace(tensors, logits=self._logits[:answers])
        batch = PackedBatch(cache=self._cache, tensors=tensors)
        rows = tensors.ends[:answers] if mixed else 0
        buffers.clear()  # what runs while capturing must not write to anybody's pages

        def step() -> None:
            logits = self._model.forward(batch, read_tokens(tensors), tensors.positions, rows)
            tensors.chosen[:answers] = logits.argmax(dim=-1)
            if logits.data_ptr() != self._logits.data_ptr():
                self._logits[:answers] = logits

        self._graphs[size, mixed, lora] = self._kernels.captured(step, self._memory)

    def _drop_slow_sizes(self) -> None:
        """Leave out what takes longer than a larger one: matrix products have favourite sizes.

        On an H100 those of an 8b shape take 305 us a layer for 480 rows, and 442 us for 448.
        """
        least = math.inf
        for size in reversed(self._decode_sizes.copy()):
            graph = self._graphs[size, False, False]
            spent = Timer("graph.replay()", globals={"graph": graph}).timeit(3).mean
            if spent > 1.02 * least:
                self._decode_sizes.remove(size)
                del self._graphs[size, False, True], self._graphs[size, False, False]
            least = min(least, spent)


def _tiles(tokens: int) -> int:
    return tokens // PREFILL_ROWS + _SPARE


def _up_to(most: int, *sizes: int) -> list[int]:
    return [*(size for size in sizes if size < most), most]
