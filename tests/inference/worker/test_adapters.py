"""Voices come on demand, go when told, and are refused when they do not fit."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from adapters.store import AdapterStore
from tests.inference import tiny
from tests.inference.tiny_worker import (
    Connect,
    complete,
    error_of,
    is_writing,
    metric,
    text_of,
    until,
)


async def test_a_voice_in_the_store_is_loaded_on_demand(
    connect: Connect, voices: tuple[AdapterStore, list[str]]
) -> None:
    client = await connect()
    texts = await asyncio.gather(
        text_of(client), *(text_of(client, model=voice) for voice in voices[1] for _ in range(3))
    )
    assert len(set(texts)) == 3
    models = (await (await client.get("/v1/models")).json())["data"]
    assert [(model["id"], model["parent"]) for model in models[:1]] == [("tiny", None)]
    assert {(model["id"], model["parent"]) for model in models[1:]} == {(voice, "tiny") for voice in voices[1]}
    assert models[0]["digest"] == tiny.DIGEST
    assert await metric(client, "adapter_load_seconds_count", tier="device") == 2


async def test_loading_and_unloading(connect: Connect, voices: tuple[AdapterStore, list[str]]) -> None:
    client, voice = await connect(), voices[1][0]
    for _ in range(2):
        response = await client.post("/v1/load_lora_adapter", json={"lora_name": voice, "lora_path": "/ignored"})
        assert response.status == 200
    [adapter] = await (await client.get("/v1/adapters")).json()
    assert adapter["digest"] == voice
    assert adapter["rank"] == 8
    assert adapter["bytes"] > 0
    assert time.time() - adapter["last_used"] < 60
    assert adapter["requests_running"] == 0
    assert (await client.post("/v1/unload_lora_adapter", json={"lora_name": voice})).status == 200
    assert await (await client.get("/v1/adapters")).json() == []
    again = await client.post("/v1/unload_lora_adapter", json={"lora_name": voice})
    assert (await error_of(again, 404))["param"] == "lora_name"


async def test_unloading_while_a_request_runs(connect: Connect, voices: tuple[AdapterStore, list[str]]) -> None:
    client, voice = await connect(step_seconds=0.02), voices[1][0]
    expected = await text_of(client, model=voice, max_tokens=30)
    running = asyncio.create_task(text_of(client, model=voice, max_tokens=30))
    await until(lambda: is_writing(client))
    assert (await client.post("/v1/unload_lora_adapter", json={"lora_name": voice})).status == 200
    [adapter] = await (await client.get("/v1/adapters")).json()
    assert adapter["requests_running"] == 1
    assert await running == expected
    assert await (await client.get("/v1/adapters")).json() == []


async def test_a_deleted_voice_is_gone_once_unloaded(
    connect: Connect, voices: tuple[AdapterStore, list[str]], store: AdapterStore
) -> None:
    client, voice = await connect(), voices[1][0]
    await text_of(client, model=voice)
    store.delete(voice)
    await client.post("/v1/unload_lora_adapter", json={"lora_name": voice})
    await error_of(await complete(client, model=voice), 404)


async def test_a_corrupt_adapter_is_refused_by_name(
    connect: Connect, voices: tuple[AdapterStore, list[str]], store: AdapterStore
) -> None:
    client, (bad, good) = await connect(), voices[1]
    weights = store.path(bad) / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    for path, body, param in [
        ("/v1/load_lora_adapter", {"lora_name": bad}, "lora_name"),
        ("/v1/completions", {"model": bad, "prompt": "x"}, "model"),
    ]:
        error = await error_of(await client.post(path, json=body), 400)
        assert bad in error["message"]
        assert (error["param"], error["code"]) == (param, "adapter_refused")
    await text_of(client, model=good)
    assert [a["digest"] for a in await (await client.get("/v1/adapters")).json()] == [good]


async def test_an_adapter_of_another_base_model_is_refused_by_name(
    connect: Connect, store: AdapterStore, tmp_path: Path
) -> None:
    foreign = store.put(tiny.write_adapter(tiny.model(), tmp_path / "foreign", seed=9, base_digest="e" * 64))
    error = await error_of(await (await connect()).post("/v1/load_lora_adapter", json={"lora_name": foreign}), 400)
    assert foreign in error["message"]
    assert "e" * 64 in error["message"]


@pytest.mark.parametrize(("name", "status"), [("f" * 64, 404), ("../x", 404), (None, 400), (7, 400)])
async def test_unknown_adapters(connect: Connect, name: Any, status: int) -> None:
    response = await (await connect()).post("/v1/load_lora_adapter", json={"lora_name": name})
    assert (await error_of(response, status))["param"] == "lora_name"


ONE_AT_A_TIME: dict[str, Any] = {"memory_bytes": 15 * 16 * 576, "max_rank": 8}
"""Fifteen pages of sixteen tokens, and an adapter of rank 8 takes eight of them: no two have room."""


async def test_one_requests_broken_adapter_is_its_own_trouble(
    connect: Connect, voices: tuple[AdapterStore, list[str]], store: AdapterStore
) -> None:
    client, (first, second) = await connect(**ONE_AT_A_TIME), voices[1]
    for voice in (first, second):  # the second evicts the first
        await text_of(client, model=voice)
    assert await metric(client, "adapter_evictions_total", tier="device") == 1
    shutil.rmtree(store.path(first))
    bad, streamed, good = await asyncio.gather(
        complete(client, model=first), complete(client, model=first, stream=True), complete(client, model=second)
    )
    for refused in (bad, streamed):
        error = await error_of(refused, 400)
        assert (error["code"], error["param"]) == ("adapter_refused", "model")
        assert first in error["message"]
    assert good.status == 200


async def test_weights_that_are_no_numbers_are_refused_when_they_are_read(
    connect: Connect, store: AdapterStore, tmp_path: Path
) -> None:
    broken = store.put(tiny.write_adapter(tiny.model(), tmp_path / "nan", seed=1, std=float("inf")))
    client = await connect()
    for call in (
        client.post("/v1/load_lora_adapter", json={"lora_name": broken}),
        complete(client, model=broken),
        complete(client, model=broken, stream=True),
    ):
        error = await error_of(await call, 400)
        assert error["code"] == "adapter_refused"
        assert "not finite" in error["message"]


async def test_each_adapter_says_in_which_memory_it_is(
    connect: Connect, voices: tuple[AdapterStore, list[str]]
) -> None:
    client, (first, second) = await connect(**ONE_AT_A_TIME), voices[1]
    for voice in (first, second):
        await text_of(client, model=voice)
    known = await (await client.get("/v1/adapters")).json()
    assert [(adapter["digest"], adapter["tier"]) for adapter in known] == [(first, "disk"), (second, "device")]
    assert set(known[0]) == {
        "digest", "rank", "bytes", "tier", "last_used", "requests_running", "requests_waiting"
    }  # fmt: skip


async def test_a_restarted_worker_serves_its_voices_again(
    connect: Connect, voices: tuple[AdapterStore, list[str]]
) -> None:
    first = await connect()
    before = [await text_of(first, model=voice) for voice in voices[1]]
    await first.close()
    again = await connect()
    assert [await text_of(again, model=voice) for voice in voices[1]] == before
