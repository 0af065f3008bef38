"""OpenAI's requests on the worker's side: what a call asks for, checked as far as its JSON goes.
Knows field names, types and defaults. Knows nothing of engines, tokenizers or connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from inference.engine import InvalidField, SamplingParams
from inference.engine.types import MOST_LOGPROBS
from inference.protocol_fields import Fields
from inference.worker_errors import bad_request

# Fields of the protocol that would change the answer and that this engine does not have: name -> values that ask for
# nothing. Saying no is kinder than ignoring them. Fields that change nothing (user, metadata ...) are ignored.
_UNSUPPORTED: Final[dict[str, tuple[Any, ...]]] = {
    "prompt_logprobs": (),
    "echo": (False,),
    "suffix": ("",),
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "structured_outputs": (),
    "use_beam_search": (False,),
    "bad_words": ([],),
    "allowed_token_ids": (),
    "include_stop_str_in_output": (False,),
}
_ROLES: Final = ("system", "developer", "user", "assistant")
_NUMBERS: Final = ("temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
_MOST_STOPS: Final = 16
_MOST_BIASES: Final = 1024
MOST_CHOICES: Final = 16
SEEDS: Final = 2**64
"""Seeds are 64 bits wide, with a sign, as OpenAI's are."""
DEFAULT_COMPLETION_TOKENS: Final = 16
"""OpenAI's, where a completion does not say `max_tokens`; a chat goes on to the end of the context."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request for text."""

    chat: bool
    model: str
    prompt: str | tuple[int, ...]
    """Of a completion; empty for a chat."""
    messages: list[dict[str, str]]
    """Of a chat."""
    add_generation_prompt: bool
    continue_final_message: bool
    sampling: SamplingParams
    n: int
    """How many texts, each of its own draw."""
    stream: bool
    include_usage: bool


def read_call(body: Any, *, chat: bool) -> Call:
    """Raises ApiError (400) naming the field."""
    fields = Fields(body)
    unsupported = _UNSUPPORTED if chat else {**_UNSUPPORTED, "top_logprobs": (0,)}
    for name, harmless in unsupported.items():
        value = fields.get(name)
        if value is not None and not any(type(value) is type(none) and value == none for none in harmless):
            raise bad_request(f"{name} is not supported.", param=name, code="unsupported_parameter")
    n = fields.integer("n", 1, MOST_CHOICES) or 1
    if fields.integer("best_of") not in (None, n):
        raise bad_request("best_of is not supported, unless it is n.", param="best_of", code="unsupported_parameter")
    options = fields.get("stream_options") or {}
    add_generation_prompt = fields.flag("add_generation_prompt", True)
    continue_final_message = fields.flag("continue_final_message", False)
    if continue_final_message and add_generation_prompt:
        if fields.get("add_generation_prompt"):
            fields.wrong("continue_final_message", "cannot be true together with add_generation_prompt")
        add_generation_prompt = False
    return Call(
        chat=chat,
        model=fields.text("model"),
        prompt="" if chat else _prompt(fields),
        messages=_messages(fields) if chat else [],
        add_generation_prompt=add_generation_prompt,
        continue_final_message=continue_final_message,
        sampling=_sampling(fields, chat=chat),
        n=n,
        stream=fields.flag("stream", False),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def _sampling(fields: Fields, *, chat: bool) -> SamplingParams:
    max_tokens = fields.integer("max_completion_tokens") if chat else None
    if max_tokens is None:
        max_tokens = fields.integer("max_tokens")
    if max_tokens is None and not chat:
        max_tokens = DEFAULT_COMPLETION_TOKENS
    given: dict[str, Any] = {name: fields.number(name) for name in _NUMBERS}
    given |= {name: fields.integer(name) for name in ("top_k", "min_tokens")}
    given |= {"seed": fields.integer("seed", -SEEDS // 2, SEEDS // 2 - 1), "max_tokens": max_tokens}
    given |= {"stop": _stops(fields), "stop_token_ids": fields.token_ids("stop_token_ids")}
    given |= {"ignore_eos": fields.flag("ignore_eos", False), "logit_bias": _logit_bias(fields)}
    given |= {"logprobs": _chat_logprobs(fields) if chat else _completion_logprobs(fields)}
    try:
        return SamplingParams(**{name: value for name, value in given.items() if value is not None})
    except InvalidField as error:
        raise bad_request(f"{error}.", param=error.field) from error


def _completion_logprobs(fields: Fields) -> int | None:
    """How many alternatives."""
    return None if fields.get("logprobs") is False else fields.integer("logprobs")


def _chat_logprobs(fields: Fields) -> int | None:
    """A chat says in one field whether, in another how many alternatives."""
    top = fields.integer("top_logprobs", 0, MOST_LOGPROBS)
    if fields.flag("logprobs", False):
        return top or 0
    if top:
        fields.wrong("top_logprobs", "needs logprobs to be true")
    return None


def _logit_bias(fields: Fields) -> tuple[tuple[int, float], ...] | None:
    """JSON's names are strings, so token ids come as such."""
    value = fields.get("logit_bias")
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) > _MOST_BIASES:
        fields.wrong("logit_bias", f"must be an object with at most {_MOST_BIASES} token ids")
    if not all(token.isdecimal() and token.isascii() and len(token) < 10 for token in value):
        fields.wrong("logit_bias", "must have token ids for names")
    if not all(isinstance(bias, int | float) and not isinstance(bias, bool) for bias in value.values()):
        fields.wrong("logit_bias", "must have numbers for values")
    return tuple((int(token), bias) for token, bias in value.items())


def _stops(fields: Fields) -> tuple[str, ...] | None:
    value = fields.get("stop")
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return None
    if not isinstance(stops, list) or len(stops) > _MOST_STOPS or not all(isinstance(stop, str) for stop in stops):
        fields.wrong("stop", f"must be a string or a list of at most {_MOST_STOPS} strings")
    return tuple(stops)


def _prompt(fields: Fields) -> str | tuple[int, ...]:
    value = fields.get("prompt")
    if isinstance(value, list) and value:
        if not isinstance(value[0], int):
            fields.wrong("prompt", "must be one prompt, a string or a list of token ids; send one request for each")
        return fields.token_ids("prompt") or ()
    return fields.unicode("prompt", fields.text("prompt"))


def _messages(fields: Fields) -> list[dict[str, str]]:
    value = fields.get("messages")
    if not isinstance(value, list) or not value:
        fields.wrong("messages", "must be a list of messages, and not empty")
    read = []
    for message in value:
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            fields.wrong("messages", f"must have a role each, one of {', '.join(_ROLES)}")
        content = message.get("content")
        if isinstance(content, list):
            # The long form of content; parts other than text have nobody to read them here.
            parts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
            content = "".join(parts) if len(parts) == len(content) else None
        if not isinstance(content, str):
            fields.wrong("messages", "must have a content each, a string or a list of text parts")
        content = fields.unicode("messages", content)
        read.append({"role": "system" if role == "developer" else role, "content": content})
    return read
