"""How outputs become an HTTP answer: in one piece, or as server-sent events.
Knows aiohttp's responses and OpenAI's order of events. Knows nothing of engines or metrics."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

from aiohttp import web

from inference.answer_shapes import Choice, Shapes, Texts
from inference.engine import Output
from inference.engine.types import TokenLogprobs
from inference.worker_errors import ApiError, engine_gave_up

log = logging.getLogger(__name__)
ReadTexts = Callable[[Iterable[int]], Awaitable[Texts]]


async def whole(
    request: web.Request, shapes: Shapes, outputs: AsyncIterator[Output], read: ReadTexts
) -> web.StreamResponse:
    """The answer when all of it is there. Raises ApiError when the engine gives up."""
    choices = [Choice() for _ in shapes.choices]
    async for output in outputs:
        choices[shapes.choices[checked(output).request_id]].add(output)
    named = [token for choice in choices for token in _named(choice.token_ids, choice.logprobs)]
    return web.json_response(shapes.whole(choices, await read(named)))


async def stream(
    request: web.Request, shapes: Shapes, outputs: AsyncIterator[Output], read: ReadTexts
) -> web.StreamResponse:
    """Each piece as an event. Raises ApiError when the engine gives up before the first.

    The headers wait for the first token: until then, a failure can still have a status of its own.
    """
    first = checked(await anext(outputs))
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    try:
        await response.prepare(request)
        async for event in _events(first, outputs, shapes, read):
            await response.write(b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
    except ConnectionResetError:
        log.debug("The client of %s went away", shapes.id)
    return response


async def _events(
    first: Output, outputs: AsyncIterator[Output], shapes: Shapes, read: ReadTexts
) -> AsyncIterator[dict[str, Any]]:
    for opening in shapes.first_chunks():
        yield opening
    tokens, output = 0, first
    while True:
        tokens += len(output.token_ids)
        if output.text or output.logprobs or output.finish_reason:
            yield shapes.chunk(output, await read(_named(output.token_ids, output.logprobs)))
        try:
            output = checked(await anext(outputs))
        except StopAsyncIteration:
            break
        except ApiError as error:  # too late for a status: the error is the last event
            yield error.body
            return
    if (usage := shapes.usage_chunk(tokens)) is not None:
        yield usage


def _named(tokens: Iterable[int], logprobs: Iterable[TokenLogprobs]) -> list[int]:
    """Every token whose text the answer tells: none without log-probabilities."""
    alternatives = [token for there in logprobs for token, _ in there.top]
    return [*tokens, *alternatives] if logprobs else []


def checked(output: Output) -> Output:
    if output.finish_reason == "error":
        raise engine_gave_up(output.error)
    return output
