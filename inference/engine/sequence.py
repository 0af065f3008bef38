"""A sequence: a request while the engine works on it, its tokens and when it ends.
Knows stop rules. Knows nothing of other sequences or of the model."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from inference.engine.adapters import Adapter
from inference.engine.text import TextStream
from inference.engine.types import FinishReason, Output, Request


class Sequence:
    """`adapter` and `pages` are held while it runs."""

    def __init__(self, request: Request, *, context: int, end_ids: frozenset[int], tokenizer: Any | None) -> None:
        sampling = request.sampling
        self.request = request
        self.tokens = list(request.prompt)
        self.limit = min(context, len(request.prompt) + (sampling.max_tokens or context))
        """Tokens it may grow to, prompt included."""
        self.end_ids = frozenset(sampling.stop_token_ids) | (frozenset() if sampling.ignore_eos else end_ids)
        # One generator each, drawn from once a token: neighbours in the batch cannot change what is chosen.
        self.random = random.Random(sampling.seed)
        self.written: Counter[int] = Counter()
        """How often each token is in the output, for penalties."""
        self.adapter: Adapter | None = None
        self.pages: list[int] = []
        self.cached = 0
        """Tokens whose keys and values are in the pages."""
        self._text = TextStream(tokenizer, sampling.stop)

    @property
    def output_length(self) -> int:
        return len(self.tokens) - len(self.request.prompt)

    @property
    def unread(self) -> int:
        """Tokens that the model has not read yet; 1 when decoding."""
        return len(self.tokens) - self.cached

    @property
    def must_go_on(self) -> bool:
        """Whether min_tokens forbids that the next token ends the text."""
        return self.output_length < self.request.sampling.min_tokens

    def append(self, token: int) -> Output:
        """Take the token that was chosen."""
        may_stop = not self.must_go_on
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
        return Output(request_id=self.request.id, text=text, token_ids=(token,), finish_reason=reason)
