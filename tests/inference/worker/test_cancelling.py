"""A client that goes away takes its request along."""

from __future__ import annotations

import asyncio

from tests.inference.tiny_worker import (
    Connect,
    complete,
    is_at,
    is_idle,
    is_writing,
    metric,
    until,
)


async def test_a_client_that_leaves_a_stream_cancels_it(connect: Connect) -> None:
    client = await connect(step_seconds=0.02)
    response = await complete(client, max_tokens=200, stream=True)
    await response.content.readany()
    response.close()
    await until(lambda: is_idle(client), seconds=1)
    assert await metric(client, "request_success_total", finished_reason="abort") == 1
    assert await metric(client, "generation_tokens_total") < 100


async def test_a_client_that_leaves_before_its_answer_cancels_it(connect: Connect) -> None:
    client = await connect(step_seconds=0.02)
    call = asyncio.create_task(complete(client, max_tokens=200))
    await until(lambda: is_writing(client))
    call.cancel()
    await until(lambda: is_idle(client), seconds=1)
    assert await metric(client, "request_success_total", finished_reason="abort") == 1
    assert await metric(client, "generation_tokens_total") < 100


async def test_a_client_that_leaves_the_queue_is_forgotten(connect: Connect) -> None:
    client = await connect(max_running=1, step_seconds=0.02)
    first = asyncio.create_task(complete(client, max_tokens=60))
    await until(lambda: is_writing(client))
    second = asyncio.create_task(complete(client, max_tokens=60))
    await until(lambda: is_at(client, "num_requests_waiting", 1))
    second.cancel()
    await until(lambda: is_at(client, "num_requests_waiting", 0), seconds=1)
    assert (await first).status == 200
