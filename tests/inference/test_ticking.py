"""Streams that say when nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from inference.ticking import ticking


class Slow:
    """Says one, waits, says two."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.closed = False

    async def go(self) -> AsyncGenerator[str]:
        try:
            yield "one"
            await asyncio.sleep(self.wait)
            yield "two"
        finally:
            self.closed = True


async def test_silence_is_told_between_the_items():
    said = [item async for item in ticking(Slow(0.25).go(), 0.1)]

    assert (said[0], said[-1]) == ("one", "two")
    assert said[1:-1] == [None, None]


async def test_closing_it_closes_the_source_even_in_the_middle_of_its_silence():
    slow = Slow(60)
    stream = ticking(slow.go(), 0.01)
    assert [await anext(stream) for _ in range(2)] == ["one", None]
    await stream.aclose()

    assert slow.closed


async def test_an_error_of_the_source_is_raised():
    async def fail() -> AsyncGenerator[str]:
        yield "one"
        raise LookupError

    stream = ticking(fail(), 1)
    assert await anext(stream) == "one"
    with pytest.raises(LookupError):
        await anext(stream)
