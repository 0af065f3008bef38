"""What callers hand to the engine and get back: limits, requests, sampling parameters, outputs.
Knows which values make sense. Knows nothing of tensors, models or HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FinishReason = Literal["stop", "length", "error"]
Tier = Literal["device", "host", "disk"]

MOST_LOGPROBS = 20
"""Alternatives beside a chosen token, as in OpenAI's API."""


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
    max_running: int | None = None
    """Sequences that progress together; None picks 16 on the CPU and 256 on a GPU."""
    max_waiting: int = 256
    """Requests that may wait beyond those; the next one is refused."""
    memory_bytes: int | None = None
    """One budget for key/value pages and adapters, each of which grows into what the other leaves; None picks on
    the CPU 1 GiB, or more where 8,192 tokens need it, and on a GPU 92 % of what is free."""
    host_bytes: int | None = None
    """Pinned host memory in front of a GPU, from where adapters come back without a disk; None picks 4 GiB. The CPU
    has no use for it."""
    max_rank: int = 64
    """Largest LoRA rank accepted. Room for one such adapter is kept out of the longest context."""
    prefill_tokens: int | None = None
    """Prompt tokens read in one step, over all requests; None picks 128 on the CPU and 2048 on a GPU."""
    prefix_cache: bool = True
    """Keep the pages of ended requests for others of the same adapter that begin alike, until memory is needed."""
    patience_seconds: float = 10.0
    """A request that has waited longer goes ahead of its owner's turn, one of them a step."""

    def __post_init__(self) -> None:
        for name in ("max_running", "max_waiting", "memory_bytes", "host_bytes", "max_rank", "prefill_tokens"):
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
    logit_bias: tuple[tuple[int, float], ...] = ()
    """(token, bias) pairs: added to those tokens' logits, before everything else."""
    logprobs: int | None = None
    """Tell the log-probability of each chosen token, and of this many likeliest ones beside it; of the model's own
    distribution, before penalties, temperature and filters."""

    def __post_init__(self) -> None:
        self._within("temperature", 0.0, 2.0)
        self._within("min_p", 0.0, 1.0)
        self._within("presence_penalty", -2.0, 2.0)
        self._within("frequency_penalty", -2.0, 2.0)
        self._within("min_tokens", 0, self.max_tokens)
        self._within("top_k", -1, None)
        self._within("max_tokens", 1, None)
        self._within("logprobs", 0, MOST_LOGPROBS)
        if any(not -100 <= bias <= 100 for _, bias in self.logit_bias):
            raise InvalidField("logit_bias", "must hold values between -100 and 100")
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
    owner: str | None = None
    """Who waits for it: owners take turns. None counts as an owner of its own for each adapter."""
    sampling: SamplingParams = field(default_factory=SamplingParams)


@dataclass(frozen=True, kw_only=True)
class TokenLogprobs:
    """Natural logarithms of probabilities at one position."""

    logprob: float
    """Of the chosen token."""
    top: tuple[tuple[int, float], ...] = ()
    """(token, logprob) of the likeliest ones, likeliest first."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What one step added to one request."""

    request_id: str
    text: str = ""
    """New text; empty while a character or a possible stop string is incomplete."""
    token_ids: tuple[int, ...] = ()
    """New tokens, among them the one that ended the text."""
    logprobs: tuple[TokenLogprobs, ...] = ()
    """One for each of `token_ids`, when asked for."""
    queue_seconds: float | None = None
    """In the first output of a request: from its arrival until it first ran."""
    finish_reason: FinishReason | None = None
    """Set in the last output of a request."""
    error: str | None = None
    """A sentence for the caller when `finish_reason` is "error"."""


@dataclass(frozen=True, kw_only=True)
class AdapterInfo:
    """One registered adapter, for the admin's eyes."""

    digest: str
    rank: int
    bytes: int
    tier: Tier
    """The fastest memory that holds it."""
    last_used: float
    """Seconds since the epoch."""
    requests_running: int
    requests_waiting: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What the engine does at one moment, safe to read from any thread."""

    max_running: int
    running: int
    waiting: int
    running_adapters: frozenset[str]
    waiting_adapters: frozenset[str]
    adapters: tuple[AdapterInfo, ...]
    """All registered ones, least recently used first."""
    adapter_bytes: Mapping[Tier, int]
    """Held in each tier; on disk are those that no memory holds."""
    evictions: Mapping[Tier, int]
    """Adapters that made room for others in that tier, since the start."""
    preemptions: int
    memory_bytes: int
    """The budget of the device."""
    page_bytes: int
    """Of it, in key/value pages that running requests hold."""
    prefix_bytes: int
    """Of it, in pages that nobody holds, kept for requests that begin alike."""
    prefix_queries: int
    """Prompt tokens looked up in the prefix cache since the start."""
    prefix_hits: int
    """Of these, tokens that were found and not read again."""
