"""Requests for drafts: which writer, how long, how daring, and what the engine is sent for it.
Knows the prompt format and the sampling that suits it. Knows nothing of rows, connections or pages."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from django.db import models

from adapters.training import prompts

TEMPERATURE: Final = 0.8
MOST_TEMPERATURE: Final = 1.5
TOP_P: Final = 0.95
# Without one, small models go round in circles; from 1.1 on, a voice loses the repetitions that are its own.
REPETITION_PENALTY: Final = 1.05
LARGEST_SEED: Final = 2**31 - 1
# A limit, not a target: texts end with a sentence (see `is_enough`), and prose needs fewer than two tokens a word.
TOKENS_A_WORD: Final = 2


class Length(models.TextChoices):
    """How long a text gets, in words, because nobody thinks in tokens."""

    SHORT = "short", "Short"
    MEDIUM = "medium", "Medium"
    LONG = "long", "Long"

    @property
    def words(self) -> int:
        return {Length.SHORT: 150, Length.MEDIUM: 350, Length.LONG: 700}[self]


def template_version() -> str:
    return str(prompts.TEMPLATE_VERSION)


def random_seed() -> int:
    return secrets.randbelow(LARGEST_SEED + 1)


def parameters(*, model: str, writer: str, temperature: float, length: Length) -> dict[str, Any]:
    """Everything that decides what is written, besides brief and seed; kept with the text.

    `model` is what the engine calls the writer, `writer` what the author calls it.
    """
    return {
        "model": model,
        "writer": writer,
        "length": length.value,
        "words": length.words,
        "max_tokens": length.words * TOKENS_A_WORD,
        "temperature": temperature,
        "top_p": TOP_P,
        "repetition_penalty": REPETITION_PENALTY,
    }


def body(*, brief: str, seed: int, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The request in OpenAI's shape."""
    sampling = ("model", "max_tokens", "temperature", "top_p", "repetition_penalty")
    return {
        **{name: parameters[name] for name in sampling},
        "messages": prompts.messages_for_brief(brief),
        "seed": seed,
        "stream_options": {"include_usage": True},
    }


_SENTENCE_END = re.compile(r"""[.!?…]["'”’»)\]]*$""")


def is_enough(text: str, following: str, words: int) -> bool:
    """Whether `text` may end here: long enough, at the end of a sentence, and `following` begins something new.

    What follows tells "3. May" and "3.5" apart from the end of a sentence well enough.
    """
    return following[:1].isspace() and len(text.split()) >= words and bool(_SENTENCE_END.search(text.rstrip()))
