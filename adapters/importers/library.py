"""Libraries that read other people's formats, and what they make of broken files.
Knows that any of them may raise anything. Knows no library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.errors import say
from adapters.importers.item import Unreadable


@contextmanager
def guarded(sentence: str, **context: object) -> Iterator[None]:
    """Whatever goes wrong inside becomes this sentence."""
    try:
        yield
    except Unreadable:
        raise
    except Exception as error:  # index, key, recursion, assertion: each library has its own way of failing
        raise Unreadable(say(sentence, **context)) from error
