"""A worker around the tiny model, in this process, and what tests ask it.
Knows the worker's application. Knows nothing of the starter model or of processes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient

from adapters.base_model import BaseModel
from adapters.store import AdapterStore
from inference.engine import Engine, EngineConfig
from inference.worker_app import Loaded, OnLoad, WorkerApp
from tests.inference import tiny

SECRET = "a long random string"
AUTH = {"Authorization": f"Bearer {SECRET}"}
GREEDY: dict[str, Any] = {"model": "tiny", "temperature": 0, "ignore_eos": True}
Client = TestClient[Any, Any]
Connect = Callable[..., Awaitable[Client]]


SMALL: dict[str, Any] = {"memory_bytes": 4 << 20, "max_rank": 32}
"""Room for the tiny model's longest text and some dozens of its adapters."""


def make_worker(
    store: AdapterStore,
    *,
    step_seconds: float = 0.0,
    step_error: Exception | None = None,
    metrics_prefix: str = "idiolect_",
    engines: list[Engine] | None = None,
    **limits: Any,
) -> WorkerApp:
    """`engines` gets the engine, once it is there."""

    def load(on_load: OnLoad) -> Loaded:
        config = EngineConfig(base_digest=tiny.DIGEST, **SMALL | limits)
        engine = Engine(tiny.model(), tiny.tokenizer(), config, on_load=on_load)
        step = engine.step

        def slow_step() -> Any:
            time.sleep(step_seconds)
            if step_error is not None:
                raise step_error
            return step()

        engine.step = slow_step  # type: ignore[method-assign]
        if engines is not None:
            engines.append(engine)
        base = BaseModel(name="tiny", folder=Path("nowhere"), digest=tiny.DIGEST)
        return Loaded(base=base, engine=engine, tokenizer=tiny.tokenizer())

    return empty_worker(store, load, metrics_prefix=metrics_prefix)


def empty_worker(
    store: AdapterStore, load: Callable[[OnLoad], Loaded], *, metrics_prefix: str = "idiolect_"
) -> WorkerApp:
    """A worker for whatever `load` makes."""
    return WorkerApp(secret=SECRET, store=store, base_model="tiny", load=load, metrics_prefix=metrics_prefix)


async def complete(client: Client, **fields: Any) -> ClientResponse:
    return await client.post("/v1/completions", json={"prompt": "Once", "max_tokens": 8, **GREEDY, **fields})


async def text_of(client: Client, **fields: Any) -> str:
    response = await complete(client, **fields)
    assert response.status == 200, await response.text()
    text: str = (await response.json())["choices"][0]["text"]
    return text


async def error_of(response: ClientResponse, status: int) -> dict[str, Any]:
    body = await response.json()
    assert response.status == status, body
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


async def events_of(response: ClientResponse) -> list[Any]:
    assert response.status == 200, await response.text()
    assert response.content_type == "text/event-stream"
    lines = (await response.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def metric(client: Client, name: str, **labels: str) -> float:
    """The sum over all labels but the given ones."""
    total = 0.0
    for line in (await (await client.get("/metrics")).text()).splitlines():
        series, _, value = line.rpartition(" ")
        if series.partition("{")[0] == f"idiolect_{name}" and all(f'{k}="{v}"' in series for k, v in labels.items()):
            total += float(value)
    return total


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  (what is waited for shows only over HTTP)
            await asyncio.sleep(0.02)


async def is_at(client: Client, name: str, value: float) -> bool:
    return await metric(client, name) == value


async def is_writing(client: Client) -> bool:
    return await is_at(client, "num_requests_running", 1)


async def is_idle(client: Client) -> bool:
    return await is_at(client, "num_requests_running", 0)


async def is_ok(client: Client) -> bool:
    return (await client.get("/health")).status == 200
