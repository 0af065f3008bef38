"""Streams that say when nothing happens, so that whoever waits can do something else meanwhile.
Knows asynchronous iteration. Knows nothing of what is streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Given = TypeVar("Given", covariant=True)


class Source(Protocol[Given]):
    """An asynchronous generator, or whatever else gives items until it is closed."""

    def __anext__(self) -> Awaitable[Given]: ...
    def aclose(self) -> Awaitable[None]: ...


async def ticking(source: Source[Item], seconds: float) -> AsyncGenerator[Item | None]:
    """The items of `source`, and None whenever `seconds` pass without one. Closing it closes `source`."""
    coming: asyncio.Task[Item | None] | None = None
    try:
        while True:
            coming = coming or asyncio.create_task(_next(source))
            await asyncio.wait({coming}, timeout=seconds)
            if not coming.done():
                yield None
                continue
            item, coming = coming.result(), None
            if item is None:
                return
            yield item
    finally:
        if coming:
            coming.cancel()
            await asyncio.wait({coming})
            if not coming.cancelled():
                coming.exception()  # nobody wants it any more, but asyncio complains of errors that nobody looks at
        await source.aclose()


async def _next(source: Source[Item]) -> Item | None:
    return await anext(source, None)
