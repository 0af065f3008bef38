"""What Prometheus reads: vLLM's names, our own, and the ones that the dashboard asks for."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.store import AdapterStore
from inference.worker import read_options
from tests.conftest import ROOT
from tests.inference.tiny_worker import SMALL, Client, Connect, complete, is_writing, metric, text_of, until

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "writing.json"
VLLM = {
    "num_requests_running",
    "num_requests_waiting",
    "kv_cache_usage_perc",
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
    "num_preemptions_total",
    "prompt_tokens_total",
    "generation_tokens_total",
    "request_success_total",
    "time_to_first_token_seconds_bucket",
    "request_queue_time_seconds_bucket",
    "inter_token_latency_seconds_bucket",
    "e2e_request_latency_seconds_bucket",
    "lora_requests_info",
}
OWN = {
    "idiolect_adapters",
    "idiolect_adapter_bytes",
    "idiolect_adapter_load_seconds_bucket",
    "idiolect_adapter_evictions_total",
    "idiolect_adapter_tokens_total",
    "idiolect_memory_bytes",
}


async def names(client: Client) -> set[str]:
    lines = (await (await client.get("/metrics")).text()).splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("prefix", ["idiolect_", "vllm:"])
async def test_names_are_vllms_where_vllm_has_them(
    connect: Connect, voices: tuple[AdapterStore, list[str]], prefix: str
) -> None:
    client = await connect(metrics_prefix=prefix)
    await text_of(client, model=voices[1][0])
    assert {f"{prefix}{name}" for name in VLLM} | OWN <= await names(client)


async def test_the_dashboard_asks_for_nothing_that_is_not_there(
    connect: Connect, voices: tuple[AdapterStore, list[str]]
) -> None:
    client = await connect()
    await text_of(client, model=voices[1][0])
    asked = {
        name
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel["targets"]
        for name in re.findall(r"idiolect_\w+", target["expr"])
    }
    assert len(asked) > 10
    assert asked <= await names(client)


async def test_requests_and_adapters_in_use_are_named(connect: Connect, voices: tuple[AdapterStore, list[str]]) -> None:
    client, (first, second) = await connect(max_running=1, step_seconds=0.02), voices[1]
    calls = [asyncio.create_task(complete(client, model=voice, max_tokens=30)) for voice in (first, second)]
    await until(lambda: is_writing(client))  # whichever was read from the disk first
    text = await (await client.get("/metrics")).text()
    [line] = [line for line in text.splitlines() if line.startswith("idiolect_lora_requests_info{")]
    named = dict(re.findall(r'(\w+)="(\w+)"', line))
    assert named["max_lora"] == "1"
    assert {named["running_lora_adapters"], named["waiting_lora_adapters"]} == {first, second}
    assert 0 < await metric(client, "kv_cache_usage_perc") < 1
    assert await metric(client, "memory_bytes", use="pages") > 0
    await asyncio.gather(*calls)


async def test_memory_is_told_by_what_holds_it(connect: Connect, voices: tuple[AdapterStore, list[str]]) -> None:
    client = await connect()
    await text_of(client, model=voices[1][0], prompt="x" * 100)
    held: dict[str, Any] = {
        use: await metric(client, "memory_bytes", use=use) for use in ("pages", "prefix", "adapters", "free")
    }
    assert held["pages"] == 0
    assert held["prefix"] > 0
    assert held["adapters"] == await metric(client, "adapter_bytes", tier="device") > 0
    assert 0.9 * SMALL["memory_bytes"] < sum(held.values()) <= SMALL["memory_bytes"]


async def test_prompts_that_begin_alike_are_found_again(connect: Connect) -> None:
    client = await connect()
    for _ in range(2):
        await text_of(client, prompt="The same beginning of " * 4)
    assert await metric(client, "prefix_cache_queries_total") >= 160
    assert await metric(client, "prefix_cache_hits_total") >= 64


async def test_tokens_are_counted_by_adapter_until_it_is_unloaded(
    connect: Connect, voices: tuple[AdapterStore, list[str]]
) -> None:
    client, (first, second) = await connect(), voices[1]
    await text_of(client, model=first, max_tokens=10)
    await text_of(client, model=second, max_tokens=5, n=2)
    await text_of(client, max_tokens=20)
    assert await metric(client, "adapter_tokens_total", adapter=first) == 10
    assert await metric(client, "adapter_tokens_total", adapter=second) == 10
    assert await metric(client, "adapters", tier="device") == 2
    await client.post("/v1/unload_lora_adapter", json={"lora_name": first})

    async def forgotten() -> bool:
        return first not in await (await client.get("/metrics")).text()

    await until(forgotten, seconds=2)
    assert await metric(client, "adapter_tokens_total") == 10
    assert await metric(client, "generation_tokens_total") == 40


async def test_times_are_measured_for_each_text(connect: Connect) -> None:
    client = await connect()
    await text_of(client, n=3, max_tokens=5)
    assert await metric(client, "time_to_first_token_seconds_count") == 3
    assert await metric(client, "request_queue_time_seconds_count") == 3
    assert await metric(client, "request_queue_time_seconds_sum") < 5
    assert await metric(client, "inter_token_latency_seconds_count") == 12
    assert await metric(client, "e2e_request_latency_seconds_count") == 3
    assert await metric(client, "request_success_total", finished_reason="length", model_name="tiny") == 3
    assert await metric(client, "prompt_tokens_total") == 4


COMMAND = ["--base-model", "x", "--models", "m", "--store", "s"]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1 << 20),
        ("8GiB", 8 << 30),
        ("8 GB", 8 * 10**9),
        ("1.5MiB", 3 << 19),
        ("512B", 512),
        ("2TiB", 2 << 40),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    options = read_options([*COMMAND, "--memory-bytes", text, "--host-bytes", text])
    assert options.limits == {"memory_bytes": size, "host_bytes": size}


@pytest.mark.parametrize(
    ("option", "value"),
    [("--memory-bytes", "much"), ("--memory-bytes", "8G"), ("--memory-bytes", "0"), ("--metrics-prefix", "a-b")],
)
def test_senseless_options_are_refused_by_name(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_options([*COMMAND, option, value])
    assert option.strip("-").replace("-", "_") in capsys.readouterr().err.replace("-", "_")


def test_every_limit_of_the_engine_can_be_given(tmp_path: Path) -> None:
    given = {"max_running": 3, "max_waiting": 4, "prefill_tokens": 64, "max_rank": 32}
    options = read_options([*COMMAND, *(f"--{name.replace('_', '-')}={value}" for name, value in given.items())])
    assert options.limits == given
    assert options.metrics_prefix == "idiolect_"
