"""Steps: from the chunks that the scheduler chose to the tokens that the model answers with.
Knows batches, graphs and how results come back from a device. Knows nothing of requests' ends or of who is next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from inference.engine import kernels
from inference.engine.batch import PackedBatch
from inference.engine.cache import KVCache
from inference.engine.graphs import StepGraphs
from inference.engine.model import PackedModel
from inference.engine.sampling import Logprobs, choose, is_greedy, logprobs
from inference.engine.scheduler import Chunk
from inference.engine.sequence import Sequence
from inference.engine.types import TokenLogprobs


@dataclass(frozen=True, kw_only=True)
class Step:
    """What was launched."""

    sequences: list[Sequence]
    """Those that get a token."""
    tokens: torch.Tensor
    """(sequences,) on the host."""
    logprobs: dict[int, tuple[Logprobs, int]]
    """Index of a sequence that asked -> where its values are, and their row."""
    done: torch.cuda.Event | None

    def read(self) -> Iterator[tuple[Sequence, int, TokenLogprobs | None]]:
        """The tokens, as soon as the device has chosen them."""
        if self.done is not None:
            self.done.synchronize()
        for index, (sequence, token) in enumerate(zip(self.sequences, self.tokens.tolist(), strict=True)):
            told = None
            if (found := self.logprobs.get(index)) is not None:
                values, row = found
                told = values.read(row, sequence.request.sampling.logprobs or 0)
            yield sequence, token, told


class Runner:
    """Runs steps. On a GPU one may be launched while the one before still runs: it reads that one's tokens there."""

    def __init__(
        self, model: PackedModel, cache: KVCache, *, max_running: int, prefill_tokens: int, context: int
    ) -> None:
        self._model = model
        self._cache = cache
        self.runs_ahead = kernels.on(model.device).runs_ahead
        self._on_gpu = model.device.type == "cuda"
        sizes = {"max_running": max_running, "prefill_tokens": prefill_tokens, "context": context}
        self._graphs = StepGraphs(model, cache, **sizes)
        # Two, by turns: one is read while the other is written.
        self._back = [torch.empty(max_running, dtype=torch.int64, pin_memory=self._on_gpu) for _ in range(2)]

    def launch(self, chunks: list[Chunk]) -> Step:
        """Start a step. Changes nothing of the sequences but where their tokens will lie. Raises OutOfMemoryError."""
        # Side by side by adapter; sorting is stable, so first come first served holds within each.
        chunks.sort(key=lambda chunk: chunk.sequence.request.adapter or "")
        batch = PackedBatch(cache=self._cache)
        rows: list[int] = []
        for chunk in chunks:
            sequence = chunk.sequence
            past = sequence.cached
            tokens = sequence.tokens[past : past + chunk.count]
            source = sequence.row if sequence.pending else None
            last = batch.add(tokens, past, sequence.held.pages, sequence.adapter, source)
            if chunk.completes:
                rows.append(last)
        sequences = [chunk.sequence for chunk in chunks if chunk.completes]
        logits = self._graphs.run(batch, rows)  # (sequences, vocabulary)
        chosen_already = logits is not None and all(is_greedy(sequence) for sequence in sequences)
        if logits is None:
            logits = self._model.run(batch, rows)
        step = self._choose(logits, sequences, chosen_already=chosen_already)
        for row, sequence in enumerate(sequences):
            sequence.row = row
        return step

    def close(self) -> None:
        self._graphs.close()

    def _choose(self, logits: torch.Tensor, sequences: list[Sequence], *, chosen_already: bool) -> Step:
        count = len(sequences)
        chosen = self._model.chosen
        if not chosen_already and count:
            chosen[:count] = choose(logits, sequences)
        told = _logprobs(logits, chosen[:count], sequences)
        self._back.reverse()
        self._back[0][:count].copy_(chosen[:count], non_blocking=True)
        done = None
        if self._on_gpu:
            done = torch.cuda.Event()
            done.record()
        return Step(sequences=sequences, tokens=self._back[0][:count], logprobs=told, done=done)


def _logprobs(logits: torch.Tensor, tokens: torch.Tensor, sequences: list[Sequence]) -> dict[int, tuple[Logprobs, int]]:
    asked = [i for i, sequence in enumerate(sequences) if sequence.request.sampling.logprobs is not None]
    if not asked:
        return {}
    most = max(sequences[i].request.sampling.logprobs or 0 for i in asked)
    values = logprobs(logits[asked], tokens[asked], most)
    return {i: (values, row) for row, i in enumerate(asked)}
