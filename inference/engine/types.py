"""What callers hand to the engine and get back: limits, requests, sampling parameters, outputs.
Knows which values make sense. Knows nothing of tensors, models or HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["stop", "length", "error"]


class InvalidField(ValueError):
    """A caller's value that cannot be used; `field` is its name, for callers that answer in a protocol of their own."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field} {message}")
        self.field = field


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Limits of one engine."""

    base_digest: str
    """Digest of the base model; an adapter made for another one is refused."""
    max_running: int = 16
    """Sequences that progress together."""
    max_waiting: int = 256
    """Requests that may wait beyond those; the next one is refused."""
    max_adapters: int = 32
    """Adapters on the device. Not below `max_running`, or requests of many voices wait for each other."""
    adapter_bytes: int | None = None
    """Bytes of adapters on the device; None picks 30 % of the budget on a GPU, and no limit on the CPU."""
    max_rank: int = 256
    """Largest LoRA rank accepted."""
    prefill_tokens: int | None = None
    """Prompt tokens read in one step, over all requests; None picks 128 on the CPU and 2048 on a GPU."""
    kv_tokens: int | None = None
    """Tokens in the key/value cache, of all running sequences together; None picks 32,768 on the CPU, and on a GPU what
    adapters leave of the budget, 90 % of the free memory. When it is full, the newest requests step back."""

    def __post_init__(self) -> None:
        for name in (
            "max_running",
            "max_waiting",
            "max_adapters",
            "max_rank",
            "adapter_bytes",
            "prefill_tokens",
            "kv_tokens",
        ):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidField(name, f"must be at least 1, not {value}")


@dataclass(frozen=True, kw_only=True)
class SamplingParams:
    """How tokens are chosen and when to stop; the names and meanings are OpenAI's and vLLM's."""

    max_tokens: int | None = None
    """Tokens to write at most; None goes on to the end of the context."""
    min_tokens: int = 0
    """No stop of any kind before this many tokens."""
    temperature: float = 1.0
    """0 is greedy."""
    top_p: float = 1.0
    """Keep the likeliest tokens whose probabilities sum up to this."""
    top_k: int = 0
    """Keep this many likeliest tokens; 0 and -1 keep all."""
    min_p: float = 0.0
    """Keep tokens at least this likely, relative to the likeliest."""
    repetition_penalty: float = 1.0
    """Divides (negative ones: multiplies) the logits of tokens seen in prompt or output."""
    presence_penalty: float = 0.0
    """Subtracted from the logits of tokens seen in the output."""
    frequency_penalty: float = 0.0
    """Subtracted from the logits of tokens in the output, once for each time."""
    seed: int | None = None
    """Same seed, same text, whatever else runs; None draws one."""
    stop: tuple[str, ...] = ()
    """Strings that end the text and are left out of it."""
    stop_token_ids: tuple[int, ...] = ()
    """Tokens that end the text, besides end-of-text."""
    ignore_eos: bool = False
    """Go on after end-of-text (for benchmarks)."""

    def __post_init__(self) -> None:
        self._within("temperature", 0.0, 2.0)
        self._within("min_p", 0.0, 1.0)
        self._within("presence_penalty", -2.0, 2.0)
        self._within("frequency_penalty", -2.0, 2.0)
        self._within("min_tokens", 0, self.max_tokens)
        self._within("top_k", -1, None)
        self._within("max_tokens", 1, None)
        if not 0 < self.top_p <= 1:
            raise InvalidField("top_p", f"must be above 0 and at most 1, not {self.top_p}")
        if not 0 < self.repetition_penalty <= 10:
            raise InvalidField("repetition_penalty", f"must be above 0 and at most 10, not {self.repetition_penalty}")
        if "" in self.stop:
            raise InvalidField("stop", "must not hold an empty string")

    def _within(self, name: str, low: float, high: float | None) -> None:
        value = getattr(self, name)
        if value is None or (low <= value and (high is None or value <= high)):
            return
        span = f"between {low} and {high}" if high is not None else f"at least {low}"
        raise InvalidField(name, f"must be {span}, not {value}")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One text to write."""

    id: str
    """Chosen by the caller, unique among the requests in the engine."""
    prompt: tuple[int, ...]
    """Token ids."""
    adapter: str | None = None
    """Digest of the adapter; None is the base model."""
    sampling: SamplingParams = field(default_factory=SamplingParams)


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one step added to one request."""

    request_id: str
    text: str = ""
    """New text; empty while a character or a possible stop string is incomplete."""
    token_ids: tuple[int, ...] = ()
    """New tokens, among them the one that ended the text."""
    finish_reason: FinishReason | None = None
    """Set in the last output of a request."""
    error: str | None = None
    """A sentence for the caller when `finish_reason` is "error"."""
