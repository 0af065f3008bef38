"""JSON from strangers: what is there is taken where it is of the kind that is expected, and all else is nothing.
Knows files and values. Knows no format."""

from __future__ import annotations

import json
from typing import Any

from adapters.errors import say
from adapters.importers.decode import NotText, decode
from adapters.importers.item import File, Unreadable

_LONGEST_NUMBER = 18
"""Digits that other programs' numbers have room for; what is longer is a name made of digits."""


def load(file: File) -> Any:
    """What the file says. Raises Unreadable."""
    try:
        return _parse(decode(file.read()))
    except NotText as error:
        raise Unreadable(say("import.not_text")) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(say("import.broken_json")) from error


def parsed(value: object) -> Any:
    """What JSON within a text says; None where it is none."""
    try:
        return _parse(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return None


def text(value: object) -> str:
    """A text or a number; else nothing."""
    return value.strip() if isinstance(value, str) else str(value) if type(value) in {int, float} else ""


def first(record: dict[str, Any], *names: str) -> str:
    """The first of these fields in which something is said."""
    return next(filter(None, (text(record.get(name)) for name in names)), "")


def record(value: object) -> dict[str, Any]:
    """An object; else one without fields."""
    return value if isinstance(value, dict) else {}


def array(value: object) -> list[Any]:
    """A list; else an empty one."""
    return value if isinstance(value, list) else []


def records(value: object) -> list[dict[str, Any]]:
    """The objects in a list."""
    return [entry for entry in array(value) if isinstance(entry, dict)]


def _parse(source: str) -> Any:
    return json.loads(source, parse_int=_number)


def _number(digits: str) -> int | str:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else digits
