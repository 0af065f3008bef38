"""The worker's HTTP application: from requests to the engine's thread and back.
Knows routes, streams and adapters on demand. Knows nothing of command lines, signals or how a model is loaded."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from adapters.base_model import BaseModel
from adapters.store import AdapterStore
from inference.adapter_loading import AdapterLoader
from inference.answer_shapes import Shapes
from inference.engine import AdapterInfo, Engine, InvalidField, QueueFull, Request, UnknownAdapter
from inference.engine.types import Tier
from inference.engine_thread import EngineThread
from inference.prompt_tokens import TokenReader
from inference.protocol import Call, read_call
from inference.protocol_fields import Fields
from inference.worker_answers import stream, whole
from inference.worker_errors import ApiError, bad_request, model_not_found
from inference.worker_guard import RETRY_SECONDS, State, guard, openai_errors
from inference.worker_metrics import OWN_PREFIX, Metrics, measured

_LARGEST_BODY: Final = 2**21
"""Bytes: a prompt of 128k tokens fits, as text or as ids."""
_LONGEST_OWNER: Final = 128
OnLoad = Callable[[Tier, float], None]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What the engine's thread makes at the start."""

    base: BaseModel
    engine: Engine
    tokenizer: Any
    """Another one than the engine's own."""


class WorkerApp:
    """`load` runs on the engine's thread; it is handed a callback for the seconds that an adapter takes into a tier.

    `base_model` is its name in the API.
    """

    def __init__(
        self,
        *,
        secret: str,
        store: AdapterStore,
        base_model: str,
        load: Callable[[OnLoad], Loaded],
        metrics_prefix: str = OWN_PREFIX,
    ) -> None:
        self._secret = secret
        self._load = load
        self._metrics = Metrics(prefix=metrics_prefix, model=base_model)
        self._started = int(time.time())
        self._ready = asyncio.Event()
        self._stopping = False
        self._writing = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.crashed = asyncio.Event()
        """Set when the engine has died: the process must end."""
        self._thread = EngineThread(self._build, on_ready=self._ready.set, on_crash=self.crashed.set)
        self._adapters = AdapterLoader(store, self._thread)

    def application(self) -> web.Application:
        app = web.Application(
            client_max_size=_LARGEST_BODY, middlewares=[openai_errors, guard(self._secret, lambda: self.state)]
        )
        app.add_routes(
            [
                web.get("/health", self.health),
                web.get("/metrics", self.metrics),
                web.get("/v1/models", self.models),
                web.get("/v1/adapters", self.adapters),
                web.post("/v1/load_lora_adapter", self.load_adapter),
                web.post("/v1/unload_lora_adapter", self.unload_adapter),
                web.post("/v1/completions", self.completions),
                web.post("/v1/chat/completions", self.chat_completions),
            ]
        )
        app.on_startup.append(self._start)
        app.on_cleanup.append(self._end)
        return app

    # Life

    @property
    def state(self) -> State:
        if self.crashed.is_set():
            return "failed"
        if self._stopping:
            return "stopping"
        return "ok" if self._ready.is_set() else "loading"

    async def drain(self, seconds: float) -> None:
        """Take no new calls, and wait for those that write until they have ended or the time is up."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)

    async def _start(self, app: web.Application) -> None:
        self._thread.start()

    async def _end(self, app: web.Application) -> None:
        self._thread.stop()

    def _build(self) -> Engine:
        loaded = self._load(self._metrics.loaded)
        self._base = loaded.base
        self._reader = TokenReader(loaded.tokenizer)
        return loaded.engine

    # The site's questions

    async def health(self, request: web.Request) -> web.Response:
        if self.state == "ok":
            return web.json_response({"status": "ok", "base_model": self._base.name})
        return web.json_response({"status": self.state}, status=503, headers={"Retry-After": str(RETRY_SECONDS)})

    async def metrics(self, request: web.Request) -> web.Response:
        text = self._metrics.text(await self._thread.snapshot())
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4"})

    async def models(self, request: web.Request) -> web.Response:
        assert self._thread.engine is not None
        name, length = self._base.name, self._thread.engine.context
        common: dict[str, Any] = {"object": "model", "created": self._started, "owned_by": "idiolect"}
        common["max_model_len"] = length
        data = [{"id": name, "root": name, "parent": None, "digest": self._base.digest, **common}]
        data += [
            {"id": a.digest, "root": a.digest, "parent": name, "digest": a.digest, **common}
            for a in await self._registered()
        ]
        return web.json_response({"object": "list", "data": data})

    async def adapters(self, request: web.Request) -> web.Response:
        return web.json_response([dataclasses.asdict(adapter) for adapter in await self._registered()])

    async def load_adapter(self, request: web.Request) -> web.Response:
        digest = Fields(await _json(request)).text("lora_name")
        await self._adapters.ensure(digest, param="lora_name", weights=True)
        return web.json_response({"status": "ok", "lora_name": digest})

    async def unload_adapter(self, request: web.Request) -> web.Response:
        digest = Fields(await _json(request)).text("lora_name")
        try:
            await self._thread.call(lambda engine: engine.remove_adapter(digest))
        except UnknownAdapter as error:
            message = f"The adapter {digest!r} is not loaded."
            raise ApiError(404, message, type="not_found_error", param="lora_name") from error
        return web.json_response({"status": "ok", "lora_name": digest})

    async def _registered(self) -> list[AdapterInfo]:
        """Every adapter that requests may name without loading it first, and those that are on their way out."""
        return await self._thread.call(lambda engine: engine.adapters())

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=False)

    async def chat_completions(self, request: web.Request) -> web.StreamResponse:
        return await self._generate(request, chat=True)

    # Writing

    async def _generate(self, request: web.Request, *, chat: bool) -> web.StreamResponse:
        with self._counted():
            owner = _owner(request)
            call = read_call(await _json(request), chat=chat)
            adapter = None
            if call.model != self._base.name:
                await self._adapters.ensure(call.model, param="model")
                adapter = call.model
            prompt = await self._reader.prompt(call)
            shapes = Shapes(call, prompt_tokens=len(prompt))
            asked = [
                Request(
                    id=request_id,
                    prompt=prompt,
                    adapter=adapter,
                    owner=owner,
                    sampling=dataclasses.replace(call.sampling, seed=shapes.seed(index)),
                )
                for request_id, index in shapes.choices.items()
            ]
            with measured(self._metrics, asked) as times:
                # Leaving this block early, for whatever reason (the client went away, too), cancels the requests.
                async with aclosing(self._thread.outputs(asked)) as outputs:
                    try:
                        answer = stream if call.stream else whole
                        return await answer(request, shapes, times.watch(outputs), self._reader.texts)
                    except (InvalidField, UnknownAdapter, QueueFull) as error:
                        times.refused()
                        raise _refusal(error, call) from error

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """While inside, the worker is not idle."""
        self._writing += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._writing -= 1
            if not self._writing:
                self._idle.set()


def _owner(request: web.Request) -> str | None:
    """Who waits for the text, in whatever words the caller has for people; requests of one owner take turns."""
    owner = request.headers.get("X-Owner", "").strip()
    if len(owner) > _LONGEST_OWNER:
        raise bad_request(f"X-Owner may have up to {_LONGEST_OWNER} characters.", param="X-Owner")
    return owner or None


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise bad_request(f"The body must be JSON: {error}") from error


def _refusal(error: InvalidField | UnknownAdapter | QueueFull, call: Call) -> ApiError:
    match error:
        case InvalidField():
            param = "messages" if call.chat and error.field == "prompt" else error.field
            return bad_request(f"{error}.", param=param)
        case QueueFull():
            message = f"Too many requests at once: {error}. Try again in a few seconds."
            return ApiError(429, message, type="rate_limit_error", code="queue_full", wait=RETRY_SECONDS)
        case UnknownAdapter():  # unloaded a moment ago
            return model_not_found(call.model)
