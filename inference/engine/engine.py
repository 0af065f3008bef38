"""The engine: takes requests, moves all running ones by one step at a time, hands out what was written.
Knows how its parts work together. Knows nothing of HTTP or threads: one thread calls it (except where stated)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from inference.engine.adapters import Adapter, AdapterRejected, Target, read
from inference.engine.batch import PackedBatch
from inference.engine.batch_tensors import rank_class
from inference.engine.cache import KVPool
from inference.engine.graphs import DecodeGraphs
from inference.engine.model import PackedModel, bytes_that_fit, end_of_text
from inference.engine.pages import PAGE, Pages
from inference.engine.pool import AdapterInfo, AdapterPool
from inference.engine.sampling import is_greedy, sample
from inference.engine.scheduler import Chunk, Scheduler
from inference.engine.sequence import Sequence
from inference.engine.types import EngineConfig, InvalidField, Output, Request


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the engine does at one moment, safe to read from any thread."""

    running: int
    waiting: int
    running_adapters: frozenset[str]
    waiting_adapters: frozenset[str]
    adapters: tuple[AdapterInfo, ...]
    evictions: int
    preemptions: int


class Engine:
    """One base model for all requests; takes the model over until `close`.

    `tokenizer` is the engine's own (tokenizers are not safe to share between threads); None writes tokens without text.
    Raises ValueError when the model cannot be served.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any | None,
        config: EngineConfig,
        *,
        on_load: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._model = PackedModel(model)
        self._tokenizer = tokenizer
        self._end_ids = end_of_text(model, tokenizer)
        cuda = self._model.device.type == "cuda"
        kv_tokens, adapter_bytes = config.kv_tokens, config.adapter_bytes
        if cuda:
            # One budget, split once: what adapters may take is not there for pages.
            room = bytes_that_fit(self._model.device)
            adapter_bytes = adapter_bytes or room * 3 // 10
            kv_tokens = kv_tokens or max(1, (room - adapter_bytes) // self._model.cache_shape.bytes_per_token)
        kv_tokens = kv_tokens or 32_768
        pages = max(1, kv_tokens // PAGE)
        self._cache = KVPool(self._model.cache_shape, pages)
        self.vocabulary = self._model.vocabulary
        self.context = min(self._model.max_positions, pages * PAGE)
        self._scheduler = Scheduler(
            pages=Pages(pages),
            max_running=config.max_running,
            max_waiting=config.max_waiting,
            prefill_tokens=config.prefill_tokens or (2048 if cuda else 128),
        )
        target = Target(
            base_digest=config.base_digest,
            modules=self._model.linear_shapes,
            max_rank=config.max_rank,
            dtype=self._model.dtype,
        )
        self._pool = AdapterPool(target, self._model.device, config.max_adapters, adapter_bytes, on_load)
        self._sequences: dict[str, Sequence] = {}
        self._graphs: DecodeGraphs | None = None
        if cuda:
            with torch.inference_mode():
                self._graphs = DecodeGraphs(
                    self._model, self._cache, max_running=config.max_running, context=self.context
                )

    # Adapters

    def read_adapter(self, digest: str, folder: Path) -> Adapter:
        """Read and check an adapter without touching the engine: the part of loading that any thread may do.

        `folder` has been verified against the digest. Raises AdapterRejected.
        """
        return read(digest, folder, self._pool.target)

    def install(self, adapter: Adapter, folder: Path) -> None:
        """Make an adapter that was read usable; `folder` is where it is read from again after an eviction."""
        self._pool.add(adapter, folder)
        if self._graphs is not None:
            with torch.inference_mode():
                self._graphs.prepare(rank_class([adapter]))

    def add_adapter(self, digest: str, folder: Path) -> None:
        """Read and install. Raises AdapterRejected."""
        self.install(self.read_adapter(digest, folder), folder)

    def remove_adapter(self, digest: str) -> None:
        """Unload, after the last request that uses it. Raises UnknownAdapter."""
        self._pool.remove(digest)

    def has_adapter(self, digest: str) -> bool:
        """Whether requests may name it; any thread may ask."""
        return digest in self._pool

    def adapters(self) -> list[AdapterInfo]:
        """The resident ones, least recently used first."""
        return self._pool.resident()

    # Requests

    def submit(self, request: Request) -> None:
        """Queue a request; it joins the others at the next step that has a place.

        Raises InvalidField for what can never run, UnknownAdapter, and QueueFull.
        """
        if request.id in self._sequences:
            raise InvalidField("id", f"{request.id!r} is already in the engine")
        if not request.prompt:
            raise InvalidField("prompt", "must not be empty")
        if len(request.prompt) >= self.context:
            raise InvalidField("prompt", f"has {len(request.prompt)} tokens; the limit is {self.context - 1}")
        if (worst := max(request.prompt)) >= self.vocabulary or min(request.prompt) < 0:
            raise InvalidField("prompt", f"holds a token outside of the vocabulary of {self.vocabulary}: {worst}")
        if any(not 0 <= token < self.vocabulary for token in request.sampling.stop_token_ids):
            raise InvalidField("stop_token_ids", f"must lie within the vocabulary of {self.vocabulary}")
        if request.sampling.stop and self._tokenizer is None:
            raise InvalidField("stop", "needs a tokenizer")
        sequence = Sequence(request, context=self.context, end_ids=self._end_ids, tokenizer=self._tokenizer)
        if request.adapter is not None:
            self._pool.claim(request.adapter)
        try:
            self._scheduler.add(sequence)
        except BaseException:
            if request.adapter is not None:
                self._pool.unclaim(request.adapter)
            raise
        self._sequences[request.id] = sequence

    def cancel(self, request_id: str) -> bool:
        """Drop a request and all that it holds, now; False when it is not (or no longer) in the engine."""
        sequence = self._sequences.get(request_id)
        if sequence is None:
            return False
        self._end(sequence)
        return True

    def has_work(self) -> bool:
        return bool(self._sequences)

    @torch.inference_mode()
    def step(self) -> list[Output]:
        """Admit what fits, read or write one piece of every running sequence, and return what is new."""
        outputs = self._admit()
        chunks, preempted = self._scheduler.chunks()
        for sequence in preempted:
            self._release_adapter(sequence)
        # Side by side by adapter; sorting is stable, so first come first served holds within each.
        chunks.sort(key=lambda chunk: chunk.sequence.request.adapter or "")
        if not chunks:
            return outputs
        complete = [chunk.sequence for chunk in chunks if chunk.completes]
        for sequence, token in zip(complete, self._forward(chunks, complete), strict=True):
            output = sequence.append(token)
            outputs.append(output)
            if output.finish_reason is not None:
                self._end(sequence)
        return outputs

    def snapshot(self) -> Snapshot:
        running, waiting = self._scheduler.running, self._scheduler.waiting
        return Snapshot(
            running=len(running),
            waiting=len(waiting),
            running_adapters=frozenset(s.request.adapter for s in running if s.request.adapter),
            waiting_adapters=frozenset(s.request.adapter for s in waiting if s.request.adapter),
            adapters=tuple(self._pool.resident()),
            evictions=self._pool.evictions,
            preemptions=self._scheduler.preemptions,
        )

    def bytes_read(self) -> int:
        """What a step has to read at least now: weights, each running adapter once, and the cache of all who run."""
        running = self._scheduler.running
        adapters = {id(s.adapter): s.adapter.bytes for s in running if s.adapter is not None}
        cached = sum(sequence.cached for sequence in running)
        cache = cached * self._model.cache_shape.bytes_per_token
        return self._model.bytes_read + sum(adapters.values()) + cache

    def close(self) -> None:
        """Drop all requests and give the model back as it was."""
        for request_id in list(self._sequences):
            self.cancel(request_id)
        self._model.close()
        self._graphs = None

    # Inside

    def _admit(self) -> list[Output]:
        failed: list[Output] = []
        while (sequence := self._scheduler.candidate()) is not None:
            digest = sequence.request.adapter
            try:
                if digest is not None:
                    sequence.adapter = self._pool.acquire(digest)
                    if sequence.adapter is None:
                        break
            except (AdapterRejected, torch.OutOfMemoryError) as error:
                # This request's own trouble: the others go on.
                self._end(sequence)
                failed.append(Output(request_id=sequence.request.id, finish_reason="error", error=str(error)))
            else:
                self._scheduler.start(sequence)
        return failed

    def _end(self, sequence: Sequence) -> None:
        self._scheduler.remove(sequence)
        del self._sequences[sequence.request.id]
        self._release_adapter(sequence)
        if sequence.request.adapter is not None:
            self._pool.unclaim(sequence.request.adapter)

    def _release_adapter(self, sequence: Sequence) -> None:
        if sequence.adapter is not None:
            self._pool.release(sequence.adapter.digest)
            sequence.adapter = None

    def _forward(self, chunks: list[Chunk], complete: list[Sequence]) -> list[int]:
        """Run the model; the next token of each sequence that it has read completely."""
        batch = PackedBatch(pool=self._cache)
        rows: list[int] = []
        for chunk in chunks:
            sequence = chunk.sequence
            past = sequence.cached
            last = batch.add(sequence.tokens[past : past + chunk.count], past, sequence.pages, sequence.adapter)
            if chunk.completes:
                rows.append(last)
        greedy = all(is_greedy(sequence) for sequence in complete)
        if self._graphs is not None and batch.decodes:
            logits, likeliest = self._graphs.run(batch)  # one row a sequence, in order
        else:
            logits = self._model.run(batch, rows)  # (complete, vocabulary)
            likeliest = logits.argmax(dim=-1) if greedy else logits
        for chunk in chunks:
            chunk.sequence.cached += chunk.count
        tokens: list[int] = likeliest.tolist() if greedy else sample(logits, complete)
        return tokens
