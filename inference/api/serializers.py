"""What API consumers may ask for, in OpenAI's fields. Knows which values make sense.
Knows nothing of models or engines: limits that depend on them are the engine's to say."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import empty

MOST_CHOICES: Final = 16
MOST_LOGPROBS: Final = 20
OPTIONAL: Final = {"required": False, "allow_null": True}
# Fields of OpenAI's that change what is answered: ignoring them would answer another question. Beside each, the values
# that ask for nothing.
UNSUPPORTED: Final[dict[str, tuple[Any, ...]]] = {
    "echo": (False,),
    "suffix": ("",),
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
}


class StopField(serializers.Field):
    """A string or up to four of them."""

    def to_internal_value(self, data: Any) -> list[str]:
        strings = [data] if isinstance(data, str) else data
        if not isinstance(strings, list) or not all(isinstance(text, str) and text for text in strings):
            raise ValidationError("Must be a string or a list of strings, none of them empty.")
        if len(strings) > 4:
            raise ValidationError(f"Up to 4 strings may end a text, not {len(strings)}.")
        return [_unicode(text) for text in strings]


class BiasField(serializers.Field):
    """Token ids, which JSON writes as strings, each with a number that is added to its logit."""

    def to_internal_value(self, data: Any) -> dict[str, float]:
        if not isinstance(data, dict) or not all(token.isascii() and token.isdecimal() for token in data):
            raise ValidationError("Must be an object from token ids to numbers.")
        if not all(type(bias) in (int, float) and math.isfinite(bias) for bias in data.values()):
            raise ValidationError("Must have numbers for values.")
        return data


class TokensField(serializers.ListField):
    child = serializers.IntegerField(min_value=0)


class AlternativesField(serializers.IntegerField):
    """How many alternatives to tell beside each token; false, as some clients send, for not telling any."""

    def run_validation(self, data: Any = empty) -> Any:
        return super().run_validation(None if data is False else data)


class PromptField(serializers.Field):
    """A text, or its token ids."""

    def to_internal_value(self, data: Any) -> str | list[int]:
        match data:
            case str() | [str()]:
                return _unicode(data if isinstance(data, str) else data[0])
            case [int(), *_] if all(type(token) is int and token >= 0 for token in data):
                return data
            case [str() | list(), *_]:
                raise ValidationError("Send one prompt a request.")
            case _:
                raise ValidationError("Must be a string or a list of token ids.")


class ContentField(serializers.Field):
    """A text, or parts of type text."""

    def to_internal_value(self, data: Any) -> str:
        match data:
            case str():
                return _unicode(data)
            case [_, *_]:
                return "".join(self._text(part) for part in data)
            case _:
                raise ValidationError("Must be a string or a list of text parts.")

    def _text(self, part: Any) -> str:
        match part:
            case {"type": "text", "text": str() as text}:
                return _unicode(text)
            case _:
                raise ValidationError("Only parts of type text can be read.")


class MessageSerializer(serializers.Serializer):
    role = serializers.ChoiceField(choices=["system", "developer", "user", "assistant"])
    content = ContentField()

    def validate_role(self, role: str) -> str:
        # OpenAI renamed it for its newest models; chat templates know the old name.
        return "system" if role == "developer" else role


class StreamOptionsSerializer(serializers.Serializer):
    include_usage = serializers.BooleanField(required=False, default=False)


class SamplingSerializer(serializers.Serializer):
    """What both endpoints share. Unknown fields are ignored, as OpenAI's clients expect."""

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = UNSUPPORTED
    model = serializers.CharField(max_length=200)
    max_tokens = serializers.IntegerField(min_value=1, **OPTIONAL)
    temperature = serializers.FloatField(min_value=0, max_value=2, **OPTIONAL)
    top_p = serializers.FloatField(min_value=0, max_value=1, **OPTIONAL)
    top_k = serializers.IntegerField(min_value=-1, **OPTIONAL)
    min_p = serializers.FloatField(min_value=0, max_value=1, **OPTIONAL)
    repetition_penalty = serializers.FloatField(max_value=10, **OPTIONAL)
    presence_penalty = serializers.FloatField(min_value=-2, max_value=2, **OPTIONAL)
    frequency_penalty = serializers.FloatField(min_value=-2, max_value=2, **OPTIONAL)
    seed = serializers.IntegerField(min_value=-(2**63), max_value=2**63 - 1, **OPTIONAL)
    stop = StopField(**OPTIONAL)
    stop_token_ids = TokensField(**OPTIONAL)
    min_tokens = serializers.IntegerField(min_value=0, **OPTIONAL)
    ignore_eos = serializers.BooleanField(**OPTIONAL)
    logit_bias = BiasField(**OPTIONAL)
    n = serializers.IntegerField(min_value=1, max_value=MOST_CHOICES, **OPTIONAL)
    best_of = serializers.IntegerField(**OPTIONAL)
    stream = serializers.BooleanField(default=False, allow_null=True)
    stream_options = StreamOptionsSerializer(**OPTIONAL)

    def validate_top_p(self, value: float | None) -> float | None:
        return _positive(value)

    def validate_repetition_penalty(self, value: float | None) -> float | None:
        return _positive(value)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, harmless in self.unsupported.items():
            value = self.initial_data.get(name)
            if value is not None and value not in harmless:
                raise ValidationError({name: f"{name} is not supported here: leave it out."})
        if attrs.get("best_of") not in (None, attrs.get("n") or 1):
            raise ValidationError({"best_of": "best_of is not supported here, unless it is n: leave it out."})
        return attrs

    def engine_body(self, wire_name: str) -> dict[str, Any]:
        """The request as the engine is asked it."""
        body = {name: value for name, value in self.validated_data.items() if value is not None}
        body.pop("best_of", None)
        if not body.pop("stream", False):
            body.pop("stream_options", None)
        return {**body, "model": wire_name}


class CompletionSerializer(SamplingSerializer):
    unsupported: ClassVar = {**UNSUPPORTED, "top_logprobs": (0,)}
    prompt = PromptField()
    logprobs = AlternativesField(min_value=0, max_value=MOST_LOGPROBS, **OPTIONAL)


class ChatSerializer(SamplingSerializer):
    messages = MessageSerializer(many=True, allow_empty=False)
    logprobs = serializers.BooleanField(**OPTIONAL)
    top_logprobs = serializers.IntegerField(min_value=0, max_value=MOST_LOGPROBS, **OPTIONAL)
    max_completion_tokens = serializers.IntegerField(min_value=1, **OPTIONAL)
    continue_final_message = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("top_logprobs") and not attrs.get("logprobs"):
            raise ValidationError({"top_logprobs": "top_logprobs needs logprobs to be true."})
        return super().validate(attrs)

    def engine_body(self, wire_name: str) -> dict[str, Any]:
        body = super().engine_body(wire_name)
        if (limit := body.pop("max_completion_tokens", None)) is not None:
            body["max_tokens"] = limit
        if body.get("continue_final_message"):
            body["add_generation_prompt"] = False  # the answer is begun already
        return body


def _positive(value: float | None) -> float | None:
    if value is not None and value <= 0:
        raise ValidationError("Ensure this value is greater than 0.")
    return value


def _unicode(text: str) -> str:
    """JSON can spell half of a character; nothing can be made of it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValidationError("Must be valid Unicode: it holds half of a surrogate pair.") from None
    return text
