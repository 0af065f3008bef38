"""A sequence: a request while the engine works on it, its tokens and when it ends.
Knows stop rules. Knows nothing of other sequences or of the model."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

from adapters.lora_files import Adapter
from inference.engine.prefix import Held
from inference.engine.text import TextStream
from inference.engine.types import FinishReason, Output, Request, TokenLogprobs


class Sequence:
    """`adapter` and pages are held while it runs. `number` is its place in the order of arrival."""

    def __init__(
        self, request: Request, *, number: int, context: int, end_ids: frozenset[int], tokenizer: Any | None
    ) -> None:
        sampling = request.sampling
        self.request = request
        self.number = number
        self.arrived = time.monotonic()
        self.owner = request.owner if request.owner is not None else f"adapter {request.adapter}"
        self.tokens = list(request.prompt)
        self.limit = min(context, len(request.prompt) + (sampling.max_tokens or context))
        """Tokens it may grow to, prompt included."""
        self.end_ids = frozenset(sampling.stop_token_ids) | (frozenset() if sampling.ignore_eos else end_ids)
        # One generator each, drawn from once a token: neighbours in the batch cannot change what is chosen.
        self._random = random.Random(sampling.seed)
        self._drawn = (-1, 0.0)
        self.written: Counter[int] = Counter()
        """How often each token is in the output, for penalties."""
        self.adapter: Adapter | None = None
        self.held = Held()
        self.cached = 0
        """Tokens whose keys and values are in the pages, or will be when the steps that were launched have run."""
        self.pending = 0
        """Tokens at the end that a launched step chooses, and that are not known yet: none or one."""
        self.row = 0
        """Where that step leaves it."""
        self.queue_seconds: float | None = None
        """From its arrival until it first ran, when its owner paid for the prompt; None before."""
        self.ended = False
        self._text = TextStream(tokenizer, sampling.stop)

    @property
    def length(self) -> int:
        """Tokens, those included that are not known yet."""
        return len(self.tokens) + self.pending

    @property
    def unread(self) -> int:
        """Tokens that the model has not read yet; 1 when decoding."""
        return self.length - self.cached

    @property
    def is_full(self) -> bool:
        """Whether it has as many tokens as it may, so that nothing is left to choose."""
        return self.length >= self.limit

    @property
    def must_go_on(self) -> bool:
        """Whether min_tokens forbids that the next token ends the text."""
        return self.length - len(self.request.prompt) < self.request.sampling.min_tokens

    @property
    def needs_history(self) -> bool:
        """Whether the choice of a token depends on those before it beyond what the model reads."""
        sampling = self.request.sampling
        return bool(sampling.repetition_penalty != 1 or sampling.presence_penalty or sampling.frequency_penalty)

    def draw(self) -> float:
        """A number in [0, 1) for the next token, the same one when a step has failed and is tried again."""
        if self._drawn[0] != self.length:
            self._drawn = (self.length, self._random.random())
        return self._drawn[1]

    def append(self, token: int, logprobs: TokenLogprobs | None = None) -> Output:
        """Take the token that was chosen."""
        may_stop = len(self.tokens) - len(self.request.prompt) >= self.request.sampling.min_tokens
        self.tokens.append(token)
        self.written[token] += 1
        reason: FinishReason | None = None
        if may_stop and token in self.end_ids:
            text, reason = self._text.finish(), "stop"
        else:
            text, stopped = self._text.push(token, stops=may_stop)
            if stopped:
                reason = "stop"
            elif len(self.tokens) >= self.limit:
                text, reason = text + self._text.finish(), "length"
        return Output(
            request_id=self.request.id,
            text=text,
            token_ids=(token,),
            logprobs=() if logprobs is None else (logprobs,),
            queue_seconds=self.queue_seconds if len(self.tokens) == len(self.request.prompt) + 1 else None,
            finish_reason=reason,
        )
