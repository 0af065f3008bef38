"""OpenAI's HTTP shapes on the worker's side: requests as they come in, answers, chunks and errors as they go out.
Knows field names, types and defaults. Knows nothing of engines, tokenizers or connections."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any, NoReturn

from inference.engine import InvalidField, SamplingParams

# Fields of the protocol that would change the answer and that this engine does not have: name -> values that ask for
# nothing. Saying no is kinder than ignoring them. Fields that change nothing (user, metadata ...) are ignored.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "prompt_logprobs": (),
    "echo": (False,),
    "suffix": ("",),
    "logit_bias": ({},),
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "use_beam_search": (False,),
}
_ROLES = ("system", "developer", "user", "assistant")
_MOST_STOPS = 16
DEFAULT_COMPLETION_TOKENS = 16
"""OpenAI's, where a completion does not say `max_tokens`; a chat goes on to the end of the context."""


class ApiError(Exception):
    """An answer other than 2xx."""

    def __init__(
        self, status: int, message: str, *, type: str, param: str | None = None, code: str | None = None, wait: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.param = param
        self.code = code
        self.wait = wait
        """Seconds for Retry-After; 0 for none."""

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": str(self), "type": self.type, "param": self.param, "code": self.code}}


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, type="invalid_request_error", param=param, code=code)


def model_not_found(name: str, *, param: str = "model") -> ApiError:
    message = f"The model {name!r} does not exist: it is neither the base model's name nor the digest of an adapter."
    return ApiError(404, message, type="not_found_error", param=param, code="model_not_found")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request for text, checked as far as its JSON goes."""

    chat: bool
    model: str
    prompt: str | tuple[int, ...]
    """Of a completion; empty for a chat."""
    messages: list[dict[str, str]]
    """Of a chat."""
    add_generation_prompt: bool
    continue_final_message: bool
    sampling: SamplingParams
    stream: bool
    include_usage: bool


def read_call(body: Any, *, chat: bool) -> Call:
    """Raises ApiError (400) naming the field."""
    fields = Fields(body)
    for name, harmless in _UNSUPPORTED.items():
        value = fields.get(name)
        if value is not None and not any(type(value) is type(none) and value == none for none in harmless):
            raise bad_request(f"{name} is not supported.", param=name, code="unsupported_parameter")
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
        stream=fields.flag("stream", False),
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


class Fields:
    """A JSON object's members by type; null counts as absent, as it does for OpenAI."""

    def __init__(self, body: Any) -> None:
        if not isinstance(body, dict):
            raise bad_request("The body must be a JSON object.")
        self._body = body

    def get(self, name: str) -> Any:
        return self._body.get(name)

    def wrong(self, name: str, rule: str) -> NoReturn:
        raise bad_request(f"{name} {rule}.", param=name)

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not value:
            self.wrong(name, "must be a string, and not empty")
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "must be true or false")
        return default if value is None else value

    def integer(self, name: str) -> int | None:
        value = self.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            self.wrong(name, "must be a whole number")
        return value

    def number(self, name: str) -> float | None:
        value = self.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            self.wrong(name, "must be a number")
        return value


def _sampling(fields: Fields, *, chat: bool) -> SamplingParams:
    max_tokens = fields.integer("max_completion_tokens") if chat else None
    if max_tokens is None:
        max_tokens = fields.integer("max_tokens")
    if max_tokens is None and not chat:
        max_tokens = DEFAULT_COMPLETION_TOKENS
    numbers = ("temperature", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
    given: dict[str, Any] = {name: fields.number(name) for name in numbers}
    given |= {name: fields.integer(name) for name in ("top_k", "seed", "min_tokens")}
    given |= {"stop": _stops(fields), "stop_token_ids": _token_ids(fields, "stop_token_ids")}
    given |= {"ignore_eos": fields.flag("ignore_eos", False), "max_tokens": max_tokens}
    try:
        return SamplingParams(**{name: value for name, value in given.items() if value is not None})
    except InvalidField as error:
        raise bad_request(f"{error}.", param=error.field) from error


def _stops(fields: Fields) -> tuple[str, ...] | None:
    value = fields.get("stop")
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return None
    if not isinstance(stops, list) or len(stops) > _MOST_STOPS or not all(isinstance(stop, str) for stop in stops):
        fields.wrong("stop", f"must be a string or a list of at most {_MOST_STOPS} strings")
    return tuple(stops)


def _token_ids(fields: Fields, name: str) -> tuple[int, ...] | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(i, int) and not isinstance(i, bool) for i in value):
        fields.wrong(name, "must be a list of token ids")
    return tuple(value)


def _prompt(fields: Fields) -> str | tuple[int, ...]:
    value = fields.get("prompt")
    if isinstance(value, list) and value:
        if not isinstance(value[0], int):
            fields.wrong("prompt", "must be one prompt, a string or a list of token ids; send one request for each")
        return _token_ids(fields, "prompt") or ()
    prompt = fields.text("prompt")
    _encodable(fields, "prompt", prompt)
    return prompt


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
        _encodable(fields, "messages", content)
        read.append({"role": "system" if role == "developer" else role, "content": content})
    return read


def _encodable(fields: Fields, name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        # JSON can spell half of a surrogate pair; no tokenizer can read one.
        fields.wrong(name, "must be valid Unicode: it holds half of a surrogate pair")


class Shapes:
    """Answers to one call."""

    def __init__(self, call: Call, *, prompt_tokens: int) -> None:
        self._call = call
        self._prompt_tokens = prompt_tokens
        prefix, kind = ("chatcmpl", "chat.completion") if call.chat else ("cmpl", "text_completion")
        self.id = f"{prefix}-{uuid.uuid4().hex}"
        self._head = {"id": self.id, "created": int(time.time()), "model": call.model}
        self._kind = kind

    def whole(self, text: str, finish_reason: str, completion_tokens: int) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text}} if self._call.chat else {"text": text}
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}
        return {**self._head, "object": self._kind, "choices": [choice], "usage": self._usage(completion_tokens)}

    def first_chunk(self) -> dict[str, Any] | None:
        """A chat's stream begins with the role alone."""
        return self._chunk({"delta": {"role": "assistant", "content": ""}}, None) if self._call.chat else None

    def chunk(self, text: str, finish_reason: str | None) -> dict[str, Any]:
        delta: dict[str, Any] = {"content": text} if text or finish_reason is None else {}
        return self._chunk({"delta": delta} if self._call.chat else {"text": text}, finish_reason)

    def usage_chunk(self, completion_tokens: int) -> dict[str, Any] | None:
        """The last chunk, when it was asked for."""
        if not self._call.include_usage:
            return None
        head = {**self._head, "object": self._stream_kind, "choices": []}
        return {**head, "usage": self._usage(completion_tokens)}

    def _chunk(self, said: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason}
        chunk: dict[str, Any] = {**self._head, "object": self._stream_kind, "choices": [choice]}
        return {**chunk, "usage": None} if self._call.include_usage else chunk

    @property
    def _stream_kind(self) -> str:
        return "chat.completion.chunk" if self._call.chat else self._kind

    def _usage(self, completion_tokens: int) -> dict[str, int]:
        total = self._prompt_tokens + completion_tokens
        return {
            "prompt_tokens": self._prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": total,
        }
