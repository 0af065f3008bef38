"""What the site itself needs of the base model: its tokenizer and its size, without loading it.
Knows the files of the base model's folder. Knows nothing of torch, which no web process imports."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from tokenizers import Tokenizer

from adapters import base_model
from adapters.errors import UserError


def folder() -> Path:
    """Where the site's base model lies. Raises UserError when it is not there."""
    try:
        return base_model.find(settings.BASE_MODEL, settings.MODELS).folder
    except LookupError as error:
        raise UserError("site.no_base_model") from error


def count_tokens(text: str) -> int:
    """How many tokens the base model reads in `text`. Raises UserError when there is no base model."""
    return len(_tokenizer(folder()).encode(text, add_special_tokens=False).ids)


def parameters() -> int:
    """How many weights the base model has. Raises UserError when there is no base model."""
    return _parameters(folder())


@lru_cache(maxsize=2)
def _tokenizer(folder: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(maxsize=2)
def _parameters(folder: Path) -> int:
    # A safetensors file begins with the length of its header, and the header has every tensor's shape.
    total = 0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        total += sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return total
