"""An engine server that says what a test tells it to. Knows OpenAI's shapes and how servers misbehave.
Knows nothing of models: what only a real worker can show is tested with one."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET = "the engine's secret"


@dataclass
class ScriptedEngine:
    """Runs in a thread of its own, so that synchronous and asynchronous tests can both talk to it."""

    text: str = "Rain fell on the tin roof."
    pause: float = 0.0
    """Seconds before each word."""
    dies_after: int | None = None
    """Words after which the connection is cut."""
    fails_after: int | None = None
    """Words after which an error event comes."""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    owners: list[str | None] = field(default_factory=list)
    """Who each request for text was for."""
    adapters: list[dict[str, Any]] = field(default_factory=list)
    """What it says of the adapters that it knows."""
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client went away before its answer was complete."""
    url: str = ""
    _planned: dict[str, deque[web.Response]] = field(default_factory=lambda: defaultdict(deque))

    def plan(self, path: str, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        """The next answer to `path`, instead of the usual one."""
        text = body if isinstance(body, str) else json.dumps(body)
        self._planned[path].append(web.Response(status=status, text=text, headers=headers))

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for asked, body in self.requests if asked == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path != "/health" and request.headers.get("Authorization") != f"Bearer {SECRET}":
            return web.json_response({"error": {"message": "wrong secret", "code": None}}, status=401)
        body = await request.json() if request.can_read_body else {}
        self.requests.append((request.path, body))
        if request.path.endswith("completions"):
            self.owners.append(request.headers.get("X-Owner"))
        if self._planned[request.path]:
            return self._planned[request.path].popleft()
        match request.path:
            case "/v1/chat/completions" | "/v1/completions":
                return await self._write(request, body)
            case "/v1/adapters":
                return web.json_response(self.adapters)
            case "/v1/models":
                listed = [{"id": "base", "object": "model"}, {"id": "a" * 64, "object": "model", "parent": "base"}]
                return web.json_response({"object": "list", "data": listed})
            case _:
                return web.json_response({"status": "ok"})

    async def _write(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        try:
            if body.get("stream"):
                return await self._stream(request, body)
            await asyncio.sleep(self.pause * len(self.text.split()))
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        chat = "chat" in request.path
        choice = {"message": {"role": "assistant", "content": self.text}} if chat else {"text": self.text}
        usage = {"prompt_tokens": 7, "completion_tokens": len(self.text.split()), "total_tokens": 0}
        return web.json_response(
            {
                "id": "cmpl-1",
                "object": "chat.completion" if chat else "text_completion",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, **choice, "finish_reason": "stop"}],
                "usage": usage,
            }
        )

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        chat = "chat" in request.path

        async def send(choices: list[dict[str, Any]], **more: Any) -> None:
            kind = "chat.completion.chunk" if chat else "text_completion"
            event = {"id": "cmpl-1", "object": kind, "created": 1, "model": body["model"], "choices": choices, **more}
            await response.write(f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())

        if chat:
            await send([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
        words = [f"{' ' if number else ''}{word}" for number, word in enumerate(self.text.split(" "))]
        for number, word in enumerate(words):
            if self.dies_after == number:
                assert request.transport is not None
                request.transport.close()
                return response
            if self.fails_after == number:
                await response.write(b'data: {"error": {"message": "out of memory"}}\n\n')
                return response
            await asyncio.sleep(self.pause)
            last = "stop" if number == len(words) - 1 else None
            content = {"delta": {"content": word}} if chat else {"text": word}
            await send([{"index": 0, **content, "finish_reason": last}])
        if (body.get("stream_options") or {}).get("include_usage"):
            await send([], usage={"prompt_tokens": 7, "completion_tokens": len(words), "total_tokens": 7 + len(words)})
        await response.write(b"data: [DONE]\n\n")
        return response


@contextmanager
def scripted_engine() -> Iterator[ScriptedEngine]:
    engine = ScriptedEngine()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(10)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", engine.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)

    async def start() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    engine.url = run(start())
    try:
        yield engine
    finally:
        run(runner.cleanup())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def free_address() -> str:
    """Where nothing listens."""
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


async def until(condition: Callable[[], Any]) -> None:
    """Wait for something that a test cannot be told of."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (it happens in another thread or process)
            await asyncio.sleep(0.02)
