"""What the worker cannot do is refused in OpenAI's shape, naming the field."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from adapters.store import AdapterStore
from inference.worker_app import Loaded
from tests.inference import tiny
from tests.inference.tiny_worker import (
    AUTH,
    SECRET,
    Connect,
    complete,
    empty_worker,
    error_of,
    text_of,
)


async def test_everything_but_health_needs_the_secret(connect: Connect) -> None:
    client = await connect()
    for header in ("Bearer wrong", f"Bearer {SECRET}x", SECRET, "", "Bearer ü"):
        for method, path in [("GET", "/v1/models"), ("POST", "/v1/completions"), ("GET", "/metrics"), ("GET", "/no")]:
            error = await error_of(
                await client.request(method, path, headers={"Authorization": header.encode().decode("latin-1")}), 401
            )
            assert error["code"] == "invalid_api_key"
    assert (await client.get("/health", headers={"Authorization": ""})).status == 200


async def test_while_the_model_loads_there_is_only_health(store: AdapterStore) -> None:
    def never(on_load: Any) -> Loaded:
        time.sleep(0.5)
        raise OSError("no such model")

    worker = empty_worker(store, never)
    async with TestClient(TestServer(worker.application()), headers=AUTH) as client:
        health = await client.get("/health")
        assert (health.status, await health.json()) == (503, {"status": "loading"})
        response = await complete(client)
        assert (await error_of(response, 503))["code"] == "loading"
        assert int(response.headers["Retry-After"]) > 0
        await asyncio.wait_for(worker.crashed.wait(), 10)
        health = await client.get("/health")
        assert (health.status, await health.json()) == (503, {"status": "failed"})


@pytest.mark.parametrize("name", ["other", "f" * 64, "../../etc/passwd", "/", "F" * 64])
async def test_unknown_models_are_not_found(connect: Connect, name: str) -> None:
    error = await error_of(await complete(await connect(), model=name), 404)
    assert (error["type"], error["param"], error["code"]) == ("not_found_error", "model", "model_not_found")
    assert name in error["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["one", "two"]}, "prompt"),
        ({"prompt": [[1], [2]]}, "prompt"),
        ({"prompt": [1, "two"]}, "prompt"),
        ({"prompt": [1, 99999]}, "prompt"),
        ({"prompt": "x" * tiny.CONTEXT}, "prompt"),
        ({"prompt": "half \ud83e"}, "prompt"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "8"}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"temperature": "warm"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_k": 1.5}, "top_k"),
        ({"seed": "x"}, "seed"),
        ({"stop": [1]}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop_token_ids": [-1]}, "stop_token_ids"),
        ({"stream": "yes"}, "stream"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"n": True}, "n"),
        ({"best_of": 2}, "best_of"),
        ({"n": 2, "best_of": 3}, "best_of"),
        ({"logprobs": -1}, "logprobs"),
        ({"logprobs": 21}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"prompt_logprobs": 0}, "prompt_logprobs"),
        ({"echo": True}, "echo"),
        ({"bad_words": ["x"]}, "bad_words"),
        ({"structured_outputs": {"choice": ["x"]}}, "structured_outputs"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"1": "2"}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"logit_bias": {"1": 10**400}}, "logit_bias"),
        ({"logit_bias": {"1": float("nan")}}, "logit_bias"),
        ({"logit_bias": {"99999": 1}}, "logit_bias"),
        ({"logit_bias": {str(token): 1 for token in range(2000)}}, "logit_bias"),
        ({"seed": 2**63}, "seed"),
        ({"min_tokens": 9}, "min_tokens"),
    ],
)
async def test_bad_fields_are_refused_by_name(connect: Connect, fields: dict[str, Any], param: str) -> None:
    error = await error_of(await complete(await connect(), **fields), 400)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert param in error["message"]


@pytest.mark.parametrize(
    "messages",
    [
        None,
        [],
        "Hi",
        ["Hi"],
        [{"role": "user"}],
        [{"role": "wizard", "content": "Hi"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
        [{"role": "user", "content": "x" * tiny.CONTEXT}],
    ],
)
async def test_bad_messages_are_refused(connect: Connect, messages: Any) -> None:
    client = await connect()
    response = await client.post("/v1/chat/completions", json={"model": "tiny", "messages": messages})
    assert (await error_of(response, 400))["param"] == "messages"


async def test_a_prompt_that_is_too_long_names_the_limit(connect: Connect) -> None:
    error = await error_of(await complete(await connect(), prompt="x" * 300), 400)
    assert "prompt has 300 tokens; the limit is 255" in error["message"]


async def test_fields_that_ask_for_nothing_are_fine(connect: Connect) -> None:
    client = await connect()
    nothing = {"n": 1, "logprobs": None, "echo": False, "stop": None, "seed": None, "user": "someone", "top_k": -1}
    assert await text_of(client, **nothing) == await text_of(client)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b"[" * 100_000])
async def test_bodies_that_are_no_objects(connect: Connect, body: bytes) -> None:
    await error_of(await (await connect()).post("/v1/completions", data=body), 400)


async def test_other_errors_have_the_same_shape(connect: Connect) -> None:
    client = await connect()
    await error_of(await client.get("/v1/nothing"), 404)
    await error_of(await client.get("/v1/completions"), 405)
    await error_of(await client.post("/v1/completions", data=b"x" * (3 << 20)), 413)


async def test_a_full_queue_says_when_to_come_back(connect: Connect) -> None:
    client = await connect(max_running=1, max_waiting=1, step_seconds=0.02)
    calls = [asyncio.create_task(complete(client, max_tokens=30)) for _ in range(4)]
    responses = [await call for call in calls]
    assert sorted(response.status for response in responses) == [200, 200, 429, 429]
    full = next(response for response in responses if response.status == 429)
    assert int(full.headers["Retry-After"]) > 0
    assert (await error_of(full, 429))["code"] == "queue_full"
