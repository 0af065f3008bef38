"""A broken engine is seen by everybody; stopping waits for what is being written."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from adapters.store import AdapterStore
from inference.worker import serve
from inference.worker_app import Loaded
from tests.inference.tiny_worker import (
    AUTH,
    complete,
    empty_worker,
    error_of,
    is_ok,
    is_writing,
    make_worker,
    text_of,
    until,
)


async def test_a_crash_of_the_engine_shows_in_health_and_answers_everybody(store: AdapterStore) -> None:
    worker = make_worker(store, step_seconds=0.5, step_error=RuntimeError("out of luck"))
    async with TestClient(TestServer(worker.application()), headers=AUTH) as client:
        await until(lambda: is_ok(client))
        for response in await asyncio.gather(complete(client), complete(client, stream=True)):
            assert (await error_of(response, 500))["type"] == "server_error"
        assert worker.crashed.is_set()
        health = await client.get("/health")
        assert (health.status, await health.json()) == (503, {"status": "failed"})
        assert (await error_of(await complete(client), 503))["code"] == "failed"


async def test_the_process_ends_with_an_error_when_the_engine_dies(store: AdapterStore) -> None:
    def broken(on_load: Any) -> Loaded:
        raise LookupError("base model 'tiny' is not there")

    worker = empty_worker(store, broken)
    assert await asyncio.wait_for(serve(worker, host="127.0.0.1", port=0, drain_seconds=5), 10) == 1


async def test_draining_waits_for_running_texts_but_not_for_ever(store: AdapterStore) -> None:
    worker = make_worker(store, step_seconds=0.02)
    async with TestClient(TestServer(worker.application()), headers=AUTH) as client:
        await until(lambda: is_ok(client))
        running = asyncio.create_task(text_of(client, max_tokens=50))
        await until(lambda: is_writing(client))
        started = time.perf_counter()
        await worker.drain(0.1)
        assert time.perf_counter() - started < 0.5
        assert not running.done()
        assert (await error_of(await complete(client), 503))["code"] == "stopping"
        await worker.drain(30)
        await asyncio.wait_for(running, 1)
