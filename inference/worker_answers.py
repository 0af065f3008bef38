"""How outputs become an HTTP answer: in one piece, or as server-sent events.
Knows aiohttp's responses and OpenAI's order of events. Knows nothing of engines or metrics."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from inference.engine import Output
from inference.protocol import ApiError, Shapes

log = logging.getLogger(__name__)


async def whole(request: web.Request, shapes: Shapes, outputs: AsyncIterator[Output]) -> web.StreamResponse:
    """The answer when all of it is there. Raises ApiError (500) when the engine gives up."""
    all_of_it = [checked(output) async for output in outputs]
    text = "".join(output.text for output in all_of_it)
    tokens = sum(len(output.token_ids) for output in all_of_it)
    return web.json_response(shapes.whole(text, all_of_it[-1].finish_reason or "stop", tokens))


async def stream(request: web.Request, shapes: Shapes, outputs: AsyncIterator[Output]) -> web.StreamResponse:
    """Each piece as an event. Raises ApiError (500) when the engine gives up before the first.

    The headers wait for the first token: until then, a failure can still have a status of its own.
    """
    first = checked(await anext(outputs))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    try:
        await response.prepare(request)
        async for event in _events(first, outputs, shapes):
            await response.write(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
    except ConnectionResetError:
        log.debug("The client of %s went away", shapes.id)
    return response


async def _events(first: Output, outputs: AsyncIterator[Output], shapes: Shapes) -> AsyncIterator[dict[str, Any]]:
    if (opening := shapes.first_chunk()) is not None:
        yield opening
    tokens, output = 0, first
    while True:
        tokens += len(output.token_ids)
        if output.text or output.finish_reason:
            yield shapes.chunk(output.text, output.finish_reason)
        if output.finish_reason:
            break
        try:
            output = checked(await anext(outputs))
        except ApiError as error:  # too late for a status: the error is the last event
            yield error.body
            return
    if (usage := shapes.usage_chunk(tokens)) is not None:
        yield usage


def checked(output: Output) -> Output:
    if output.finish_reason == "error":
        raise ApiError(500, output.error or "The engine failed.", type="server_error")
    return output
