"""Several texts for one call: each of its own draw, in one answer, and gone together."""

from __future__ import annotations

import asyncio
from typing import Any

from inference.engine import Engine, Output
from tests.inference.tiny_worker import (
    GREEDY,
    Connect,
    complete,
    error_of,
    events_of,
    is_at,
    is_idle,
    metric,
    text_of,
    until,
)

DRAWN: dict[str, Any] = {"temperature": 1, "seed": 5, "max_tokens": 12}


async def test_each_text_has_the_next_seed(connect: Connect) -> None:
    client = await connect()
    body = await (await complete(client, n=3, **DRAWN)).json()
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    texts = [choice["text"] for choice in body["choices"]]
    assert len(set(texts)) == 3
    assert texts == [await text_of(client, **DRAWN | {"seed": seed}) for seed in (5, 6, 7)]
    assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 36, "total_tokens": 40}


async def test_without_a_seed_they_differ_too(connect: Connect) -> None:
    body = await (await complete(await connect(), n=4, best_of=4, temperature=1, max_tokens=12)).json()
    assert len({choice["text"] for choice in body["choices"]}) == 4


async def test_a_stream_has_them_side_by_side(connect: Connect) -> None:
    client = await connect()
    whole = (await (await complete(client, n=3, **DRAWN)).json())["choices"]
    asked = {"n": 3, **DRAWN, "stream": True, "stream_options": {"include_usage": True}}
    *events, usage = await events_of(await complete(client, **asked))
    said = ["", "", ""]
    order = []
    for event in events:
        [choice] = event["choices"]
        said[choice["index"]] += choice["text"]
        order.append(choice["index"])
    assert said == [choice["text"] for choice in whole]
    assert order != sorted(order)
    assert sorted(e["choices"][0]["index"] for e in events if e["choices"][0]["finish_reason"]) == [0, 1, 2]
    assert usage["usage"]["completion_tokens"] == 36


async def test_a_chats_stream_begins_with_a_role_for_each(connect: Connect) -> None:
    client = await connect()
    asked = {**GREEDY, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "n": 2, "stream": True}
    events = await events_of(await client.post("/v1/chat/completions", json=asked))
    first = [event["choices"][0] for event in events[:2]]
    assert [(choice["index"], choice["delta"]["role"]) for choice in first] == [(0, "assistant"), (1, "assistant")]


async def test_the_largest_seed_has_a_next_one(connect: Connect) -> None:
    client = await connect()
    body = await (await complete(client, n=2, **DRAWN | {"seed": 2**63 - 1})).json()
    assert body["choices"][1]["text"] == await text_of(client, **DRAWN | {"seed": -(2**63)})


async def test_a_client_that_leaves_cancels_all(connect: Connect) -> None:
    client = await connect(step_seconds=0.02)
    for stream in (True, False):
        call = asyncio.create_task(complete(client, n=3, max_tokens=200, stream=stream))
        await until(lambda: is_at(client, "num_requests_running", 3))
        if stream:
            (await call).close()
        else:
            call.cancel()
        await until(lambda: is_idle(client), seconds=1)
    assert await metric(client, "request_success_total", finished_reason="abort") == 6


async def test_without_room_for_all_there_is_none_for_any(connect: Connect) -> None:
    client = await connect(max_running=1, max_waiting=1, step_seconds=0.02)
    response = await complete(client, n=3)
    assert (await error_of(response, 429))["code"] == "queue_full"
    assert int(response.headers["Retry-After"]) > 0
    assert await metric(client, "num_requests_waiting") == await metric(client, "num_requests_running") == 0
    assert await metric(client, "request_success_total") == 0
    assert (await complete(client, n=1)).status == 200


async def test_when_one_fails_the_others_stop(connect: Connect) -> None:
    engines: list[Engine] = []
    client = await connect(engines=engines, step_seconds=0.01)
    [engine] = engines
    step = engine.step

    def step_with_trouble() -> list[Output]:
        outputs = step()
        for output in outputs:
            if output.request_id.endswith("-1"):
                engine.cancel(output.request_id)
                return [Output(request_id=output.request_id, finish_reason="error", error="Out of luck.")]
        return outputs

    engine.step = step_with_trouble  # type: ignore[method-assign]
    assert (await error_of(await complete(client, n=3, max_tokens=200), 500))["message"] == "Out of luck."
    await until(lambda: is_idle(client), seconds=1)
    assert await metric(client, "request_success_total", finished_reason="error") == 1
    assert await metric(client, "request_success_total", finished_reason="abort") == 2
