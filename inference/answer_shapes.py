"""OpenAI's answers on the worker's side: whole ones and chunks of streams.
Knows field names and their order. Knows nothing of engines, tokenizers or connections."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from inference.engine import Output
from inference.engine.types import TokenLogprobs
from inference.logprob_shapes import LogprobShapes
from inference.protocol import SEEDS, Call
from inference.token_texts import TokenText

Texts = Mapping[int, TokenText]


@dataclass(kw_only=True)
class Choice:
    """One of a call's texts, as far as it has come."""

    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, output: Output) -> None:
        self.text += output.text
        self.token_ids += output.token_ids
        self.logprobs += output.logprobs
        self.finish_reason = output.finish_reason


class Shapes:
    """Answers to one call."""

    def __init__(self, call: Call, *, prompt_tokens: int) -> None:
        self._call = call
        self._prompt_tokens = prompt_tokens
        prefix, kind = ("chatcmpl", "chat.completion") if call.chat else ("cmpl", "text_completion")
        self.id = f"{prefix}-{uuid.uuid4().hex}"
        self._head = {"id": self.id, "created": int(time.time()), "model": call.model}
        self._kind = kind
        self._logprobs = [LogprobShapes(chat=call.chat) for _ in range(call.n)]
        self.choices = {f"{self.id}-{index}": index for index in range(call.n)}
        """What the engine calls each text -> its place in the answer."""

    def seed(self, index: int) -> int | None:
        """The first text has the call's seed, each other one the next: they differ, and can be had again."""
        seed = self._call.sampling.seed
        return None if seed is None else (seed + index + SEEDS // 2) % SEEDS - SEEDS // 2

    def whole(self, choices: Sequence[Choice], texts: Texts) -> dict[str, Any]:
        said = []
        for index, choice in enumerate(choices):
            content = {"role": "assistant", "content": choice.text}
            words = {"message": content} if self._call.chat else {"text": choice.text}
            logprobs = self._shape(index, choice.token_ids, choice.logprobs, texts)
            said.append({"index": index, **words, "logprobs": logprobs, "finish_reason": choice.finish_reason})
        usage = self._usage(sum(len(choice.token_ids) for choice in choices))
        return {**self._head, "object": self._kind, "choices": said, "usage": usage}

    def first_chunks(self) -> list[dict[str, Any]]:
        """The stream of each text of a chat begins with the role alone."""
        said = {"delta": {"role": "assistant", "content": ""}}
        return [self._chunk(index, said, None, None) for index in range(self._call.n)] if self._call.chat else []

    def chunk(self, output: Output, texts: Texts) -> dict[str, Any]:
        index = self.choices[output.request_id]
        delta = {"content": output.text} if output.text or output.finish_reason is None else {}
        said: dict[str, Any] = {"delta": delta} if self._call.chat else {"text": output.text}
        logprobs = self._shape(index, output.token_ids, output.logprobs, texts)
        return self._chunk(index, said, logprobs, output.finish_reason)

    def usage_chunk(self, completion_tokens: int) -> dict[str, Any] | None:
        """The last chunk, when it was asked for."""
        if not self._call.include_usage:
            return None
        head = {**self._head, "object": self._stream_kind, "choices": []}
        return {**head, "usage": self._usage(completion_tokens)}

    def _chunk(self, index: int, said: dict[str, Any], logprobs: Any, finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": index, **said, "logprobs": logprobs, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._head, "object": self._stream_kind, "choices": [choice]}
        return {**chunk, "usage": None} if self._call.include_usage else chunk

    def _shape(
        self, index: int, tokens: Sequence[int], logprobs: Sequence[TokenLogprobs], texts: Texts
    ) -> dict[str, Any] | None:
        asked = self._call.sampling.logprobs is not None
        return self._logprobs[index].shape(tokens, logprobs, texts) if asked else None

    @property
    def _stream_kind(self) -> str:
        return "chat.completion.chunk" if self._call.chat else self._kind

    def _usage(self, completion_tokens: int) -> dict[str, int]:
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self._prompt_tokens + completion_tokens,
        }
