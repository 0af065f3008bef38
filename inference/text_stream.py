"""An engine server's stream of events, as pieces of a text. Knows server-sent events and how they break off.
Knows nothing of what was asked, or of whom."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

import httpx

from inference.wire import Piece, Unavailable, read_error_event, read_piece, unreachable


class TextStream:
    """An answer on its way. Iterate over its pieces; `aclose`, at any time, cancels what is left of it."""

    def __init__(self, client: httpx.AsyncClient, response: httpx.Response) -> None:
        self._client = client
        self._response = response
        self._pieces = self._read()

    def __aiter__(self) -> TextStream:
        return self

    async def __anext__(self) -> Piece:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        # The protocol has no other message for "stop": the server sees the connection close.
        await self._pieces.aclose()
        await self._response.aclose()
        await self._client.aclose()

    async def _read(self) -> AsyncGenerator[Piece]:
        try:
            async for line in _lines(self._response):
                if not line.startswith(b"data:"):
                    continue
                data = line.removeprefix(b"data:").strip()
                if data == b"[DONE]":
                    return
                event = json.loads(data)
                if "error" in event:
                    raise read_error_event(event)
                yield read_piece(event)
        except httpx.TransportError as error:
            raise unreachable(error) from error
        raise Unavailable("The writing engine went away before it had finished.")


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes]:
    """httpx would also split at U+2028 and its like, which may stand inside of an event's JSON."""
    held = b""
    async for chunk in response.aiter_bytes():
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            yield line
