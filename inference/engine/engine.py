"""The engine: takes requests, moves all running ones by one step at a time, hands out what was written.
Knows how its parts work together. Knows nothing of HTTP or threads: one thread calls it (except where stated)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from adapters.lora_files import Checked, Target, check, padded, read
from inference.engine.cache import KVCache
from inference.engine.device import bytes_that_fit, pinned, unpin
from inference.engine.memory import Memory
from inference.engine.model import PackedModel, end_of_text
from inference.engine.pool import AdapterPool
from inference.engine.prefix import PAGE, Pages
from inference.engine.scheduler import Chunk, Scheduler
from inference.engine.sequence import Sequence
from inference.engine.steps import Runner, Step
from inference.engine.types import AdapterInfo, EngineConfig, InvalidField, Output, Request, Snapshot, Tier

_LOOK_AHEAD = 32
"""Waiting requests whose adapters are brought nearer."""
_USUAL_CONTEXT = 8192
_IDLE_SECONDS = 0.005


class Engine:
    """One base model for all requests; takes the model over until `close`.

    `tokenizer` is the engine's own (tokenizers are not safe to share between threads); None writes tokens without text.
    `on_load` hears of each adapter that has reached a tier, and the seconds that it took.
    Raises ValueError when the model cannot be served.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: Any | None,
        config: EngineConfig,
        *,
        on_load: Callable[[Tier, float], None] = lambda tier, seconds: None,
    ) -> None:
        self._model = PackedModel(model)
        self._tokenizer = tokenizer
        self._end_ids = end_of_text(model, tokenizer)
        self.vocabulary = self._model.vocabulary
        self._target = Target(
            base_digest=config.base_digest,
            modules=self._model.linear_shapes,
            max_rank=config.max_rank,
            dtype=self._model.dtype,
        )
        cuda = self._model.device.type == "cuda"
        shape = self._model.cache_shape
        largest = padded(config.max_rank) * sum(map(sum, self._target.modules.values())) * self._target.dtype.itemsize
        budget = config.memory_bytes or (
            bytes_that_fit(self._model.device)
            if cuda
            else max(2**30, largest + min(self._model.max_positions, _USUAL_CONTEXT) * shape.bytes_per_token)
        )
        self._memory = Memory(shape.arena(budget // (PAGE * shape.bytes_per_token)))
        left = self._memory.count - -(-largest // self._memory.frame_bytes)
        if left < 1:
            self._model.close()
            raise ValueError(
                f"memory_bytes is {budget}, and an adapter of rank {config.max_rank} alone takes {largest}: "
                "raise memory_bytes or lower max_rank"
            )
        self.context = min(self._model.max_positions, left * PAGE)
        self._cache = KVCache(shape, self._memory)
        self._pages = Pages(self._memory, keep=config.prefix_cache)
        self._host = Memory(pinned(self._memory.arena, config.host_bytes or 4 * 2**30)) if cuda else None
        self._pool = AdapterPool(self._target, self._memory, self._host, on_load, self._pages.forget)
        prefill_tokens = config.prefill_tokens or (2048 if cuda else 128)
        self._max_running = config.max_running or (256 if cuda else 16)
        self._scheduler = Scheduler(
            memory=self._memory,
            pages=self._pages,
            max_running=self._max_running,
            max_waiting=config.max_waiting,
            prefill_tokens=prefill_tokens,
            fill=cuda,
            patience=config.patience_seconds,
            on_stop=self._release_adapter,
        )
        with torch.inference_mode():
            self._model.attach(self._cache, self._target, self._max_running)
            sizes = {"max_running": self._max_running, "prefill_tokens": prefill_tokens, "context": self.context}
            self._runner = Runner(self._model, self._cache, **sizes)
        self._sequences: dict[str, Sequence] = {}
        self._numbers = itertools.count()
        self._in_flight: Step | None = None
        self._ahead: dict[str, None] = {}
        """Adapters of the next ones in line, in order."""

    # Adapters

    def check_adapter(self, digest: str, folder: Path, *, weights: bool = False) -> Checked:
        """Check an adapter by its description alone, or with `weights` by every number in it; any thread may.

        `folder` has been verified against the digest. Raises AdapterRejected.
        """
        checked = check(digest, folder, self._target)
        if weights:
            read(checked, torch.empty(checked.values, dtype=self._target.dtype))
        return checked

    def register(self, checked: Checked, *, load: bool = False) -> None:
        """Make an adapter known; its weights are read when somebody first asks for it, or with `load` right away if
        there is room for them."""
        self._pool.add(checked)
        if load:
            self._pool.fetch(checked.digest)

    def add_adapter(self, digest: str, folder: Path) -> None:
        """Check and register all of an adapter, and wait until it is there. Raises AdapterRejected."""
        self.register(self.check_adapter(digest, folder, weights=True))
        while self._pool.fetch(digest) == "coming":
            self._pool.wait(_IDLE_SECONDS)
            self._pool.poll()

    def remove_adapter(self, digest: str) -> None:
        """Unload, after the last request that uses it. Raises UnknownAdapter."""
        self._pool.remove(digest)

    def has_adapter(self, digest: str) -> bool:
        """Whether requests may name it; any thread may ask."""
        return digest in self._pool

    def adapters(self) -> list[AdapterInfo]:
        """All that are registered, least recently used first."""
        self._pool.poll()
        return self._pool.infos()

    # Requests

    def submit(self, request: Request) -> None:
        """Queue a request; it joins the others at the next step that has a place.

        Raises InvalidField for what can never run, UnknownAdapter, and QueueFull.
        """
        self._check(request)
        sequence = Sequence(
            request,
            number=next(self._numbers),
            context=self.context,
            end_ids=self._end_ids,
            tokenizer=self._tokenizer,
        )
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
        """Admit what fits, move every running sequence by one piece, and return what is new.

        On a GPU the next step is launched before the tokens of the last one are read, so that it never waits for this
        thread: what is returned is one step old.
        """
        outputs = self._admit()
        if self._in_flight is not None and any(s.needs_history for s in self._scheduler.running):
            outputs += self._collect()
        chunks = self._scheduler.chunks()
        launched = self._launch(chunks, outputs) if chunks else None
        outputs += self._collect()
        self._in_flight = launched
        if launched is not None and not self._runner.runs_ahead:
            outputs += self._collect()
        if launched is None and not outputs and self._sequences:
            self._pool.wait(_IDLE_SECONDS)
        return outputs

    # Telling

    def snapshot(self) -> Snapshot:
        self._pool.poll()
        running, waiting = self._scheduler.running, self._scheduler.waiting
        frame = self._memory.frame_bytes
        return Snapshot(
            max_running=self._max_running,
            running=len(running),
            waiting=len(waiting),
            running_adapters=frozenset(s.request.adapter for s in running if s.request.adapter),
            waiting_adapters=frozenset(s.request.adapter for s in waiting if s.request.adapter),
            adapters=tuple(self._pool.infos()),
            adapter_bytes=self._pool.bytes(),
            evictions=self._pool.evictions(),
            preemptions=self._scheduler.preemptions,
            memory_bytes=self._memory.count * frame,
            page_bytes=(self._memory.frames_in_pages - self._pages.frames()) * frame,
            prefix_bytes=self._pages.frames() * frame,
            prefix_queries=self._pages.queries,
            prefix_hits=self._pages.hits,
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
        self._pool.close()
        self._runner.close()
        self._model.close()
        if self._host is not None:
            unpin(self._host.arena)

    # Inside

    def _check(self, request: Request) -> None:
        sampling = request.sampling
        if request.id in self._sequences:
            raise InvalidField("id", f"{request.id!r} is already in the engine")
        if not request.prompt:
            raise InvalidField("prompt", "must not be empty")
        if len(request.prompt) >= self.context:
            raise InvalidField("prompt", f"has {len(request.prompt)} tokens; the limit is {self.context - 1}")
        if (worst := max(request.prompt)) >= self.vocabulary or min(request.prompt) < 0:
            raise InvalidField("prompt", f"holds a token outside of the vocabulary of {self.vocabulary}: {worst}")
        named = {"stop_token_ids": sampling.stop_token_ids, "logit_bias": [token for token, _ in sampling.logit_bias]}
        for field, tokens in named.items():
            if any(not 0 <= token < self.vocabulary for token in tokens):
                raise InvalidField(field, f"must lie within the vocabulary of {self.vocabulary}")
        if sampling.stop and self._tokenizer is None:
            raise InvalidField("stop", "needs a tokenizer")

    def _admit(self) -> list[Output]:
        """Start those whose turn it is and whose adapter is there; bring the adapters of the next ones nearer."""
        outputs: list[Output] = []
        self._pool.poll()
        for refused, error in self._pool.take_failures().items():
            # Its requests' own trouble: the others go on.
            theirs = [s for s in self._scheduler.waiting if s.request.adapter == refused]
            outputs += [self._fail(sequence, str(error)) for sequence in theirs]
        # Ahead of what ended with the last step: what is known to be needed goes after what may be.
        self._pool.expect(self._ahead)
        ahead, passed, full = dict[str, None](), 0, False
        for sequence in self._scheduler.waiting.order():
            if passed >= _LOOK_AHEAD and (full or not self._scheduler.has_place):
                break
            digest = sequence.request.adapter
            found = "ready" if digest is None else self._pool.find(digest) if passed else self._pool.fetch(digest)
            # The first in line waits for room, and those behind it must not take it again and again.
            full = full or found == "no room"
            if found == "ready" and not full:
                if self._scheduler.start(sequence):
                    sequence.adapter = self._pool.acquire(digest) if digest is not None else None
                    continue
                # For memory, those behind may not overtake, or it might wait for ever; for a place, it is others' turn.
                full = self._scheduler.has_place and self._scheduler.has_turn(sequence.owner)
            if digest is not None and passed < _LOOK_AHEAD:
                ahead[digest] = None
            passed += 1
        self._pool.prefetch(ahead, spare=self._scheduler.growth if ahead else 0)
        self._ahead = ahead
        return outputs

    def _launch(self, chunks: list[Chunk], outputs: list[Output]) -> Step | None:
        try:
            step = self._runner.launch(chunks)
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if not self._scheduler.step_back():
                alone = self._scheduler.running[0]
                outputs.append(self._fail(alone, "The device has too little memory for this request."))
            return None
        for chunk in chunks:
            sequence = chunk.sequence
            sequence.cached += chunk.count
            self._pages.learn(sequence.held, sequence.tokens, sequence.cached)
        self._scheduler.recover()
        for sequence in step.sequences:
            sequence.pending += 1
        return step

    def _collect(self) -> list[Output]:
        """What the step in flight has chosen."""
        step, self._in_flight = self._in_flight, None
        outputs: list[Output] = []
        for sequence, token, logprobs in step.read() if step is not None else ():
            sequence.pending -= 1
            if sequence.ended:
                continue  # by the step before, or it was cancelled
            output = sequence.append(token, logprobs)
            self._scheduler.waiting.charge(sequence, written=1)
            outputs.append(output)
            if output.finish_reason is not None:
                self._end(sequence)
        return outputs

    def _fail(self, sequence: Sequence, error: str) -> Output:
        self._end(sequence)
        return Output(request_id=sequence.request.id, finish_reason="error", error=error)

    def _end(self, sequence: Sequence) -> None:
        sequence.ended = True
        self._scheduler.remove(sequence)
        del self._sequences[sequence.request.id]
        if sequence.request.adapter is not None:
            self._pool.unclaim(sequence.request.adapter)

    def _release_adapter(self, sequence: Sequence) -> None:
        if sequence.adapter is not None:
            self._pool.release(sequence.adapter.digest)
            sequence.adapter = None
