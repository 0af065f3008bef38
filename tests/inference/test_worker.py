"""The worker as it is run: a process of its own, the starter model, a store, signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from adapters.base_model import STARTER, BaseModel, find
from adapters.store import AdapterStore
from inference.layers import weights
from inference.worker import load, main, read_options
from tests.conftest import ROOT
from tests.inference import tiny

SECRET = "a long random string"
ABSENT = ["django", "rest_framework", "celery", "redis", "psycopg", "httpx", "peft"]
"""A machine that only serves has none of these."""
PROGRAM = (
    f"import runpy, sys; sys.modules.update(dict.fromkeys({ABSENT}));"
    "runpy.run_module('inference.worker', run_name='__main__', alter_sys=True)"
)


@dataclass
class Running:
    """A worker process and a client of it."""

    process: subprocess.Popen[bytes]
    client: httpx.Client


@contextmanager
def worker(*more: str, base_model: str, models: Path, store: Path) -> Iterator[Running]:
    """`python -m inference.worker` where only its own libraries are installed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", PROGRAM, *options(base_model, models, store), "--port", str(port), *more]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "IDIOLECT_INFERENCE_SECRET": SECRET})
    try:
        url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {SECRET}"}
        with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
            yield Running(process, client)
    finally:
        process.kill()
        process.wait()


def options(base_model: str, models: Path, store: Path) -> list[str]:
    return ["--base-model", base_model, "--models", str(models), "--store", str(store), "--device", "cpu"]


def wait_until_ready(running: Running, seconds: float = 120) -> set[str]:
    """The states that /health went through."""
    seen = set()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            answer = running.client.get("/health")
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        seen.add(answer.json()["status"])
        if answer.status_code == 200:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not ready after {seconds} s: {seen}, exit code {running.process.poll()}")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AdapterStore:
    return AdapterStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def voice(
    store: AdapterStore, starter: tuple[Any, Any], base_model: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An adapter for the starter model, in the store."""
    folder = tmp_path_factory.mktemp("voice")
    return store.put(tiny.write_adapter(starter[0], folder, seed=4, std=0.05, base_digest=base_model.digest))


@pytest.fixture(scope="module")
def real(store: AdapterStore, base_model: BaseModel) -> Iterator[Running]:
    """One worker with the starter model for all tests here, which is to write what transformers writes in fp32."""
    with worker("--dtype", "float32", base_model=STARTER, models=base_model.folder.parent, store=store.root) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a base model on disk: quick to load where only the process matters."""
    folder = tmp_path_factory.mktemp("tiny") / "base"
    tiny.model().save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.model
def test_chats_are_what_transformers_and_peft_write(
    real: Running, store: AdapterStore, voice: str, starter: tuple[Any, Any]
) -> None:
    model, tokenizer = starter
    messages = [{"role": "user", "content": "Write about the sea."}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    written = set()
    for name, folder in [(STARTER, None), (voice, store.path(voice))]:
        expected = tokenizer.decode(tiny.generate(model, folder, prompt, 12), skip_special_tokens=True)
        body = {"model": name, "messages": messages, "max_tokens": 12, "temperature": 0, "ignore_eos": True}
        answer = real.client.post("/v1/chat/completions", json=body).json()
        assert answer["choices"][0]["message"]["content"] == expected
        assert answer["usage"]["prompt_tokens"] == len(prompt)
        written.add(expected)
    assert len(written) == 2


@pytest.mark.model
def test_a_stream_comes_piece_by_piece(real: Running) -> None:
    body = {"model": STARTER, "prompt": "The sea", "max_tokens": 10, "temperature": 0, "stream": True}
    arrivals, text = [], ""
    with real.client.stream("POST", "/v1/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                arrivals.append(time.monotonic())
                text += json.loads(line.removeprefix("data: "))["choices"][0]["text"]
    whole = real.client.post("/v1/completions", json={**body, "stream": False}).json()["choices"][0]["text"]
    assert text == whole
    assert len(arrivals) > 5
    assert arrivals[-1] > arrivals[0]


@pytest.mark.model
def test_emoji_come_whole(real: Running) -> None:
    """Each of their bytes is a token: asked for by a prompt that leaves the model hardly another choice."""
    body = {"model": STARTER, "prompt": "🦊🐻🦊🐻🦊🐻🦊🐻🦊🐻🦊🐻", "max_tokens": 24, "temperature": 0, "stream": True}
    with real.client.stream("POST", "/v1/completions", json=body) as answer:
        events = [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: {")]
    pieces = [event["choices"][0]["text"] for event in events]
    assert any(ord(character) > 0xFFFF for piece in pieces for character in piece)
    assert not any("\ufffd" in piece for piece in pieces)


@pytest.mark.model
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_cancels_its_request(real: Running, stream: bool) -> None:
    body = {"model": STARTER, "prompt": "The sea", "max_tokens": 2000, "ignore_eos": True, "stream": stream}
    with socket.create_connection((real.client.base_url.host, real.client.base_url.port or 0)) as raw:
        content = json.dumps(body).encode()
        head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
        raw.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        if stream:
            assert raw.recv(100).startswith(b"HTTP/1.1 200")
        while metric(real, "num_requests_running") < 1:
            time.sleep(0.05)
    deadline = time.monotonic() + 10
    while metric(real, "num_requests_running"):
        assert time.monotonic() < deadline, "still writing for nobody"
        time.sleep(0.05)


def metric(running: Running, name: str) -> float:
    lines = running.client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"idiolect_{name}{{")).split()[1])


def test_it_loads_serves_and_lets_running_texts_end_at_sigterm(tiny_base: Path, store: AdapterStore) -> None:
    with worker(base_model=str(tiny_base), models=tiny_base.parent, store=store.root) as running:
        assert wait_until_ready(running) == {"loading", "ok"}
        assert running.client.get("/v1/models").json()["data"][0]["id"] == str(tiny_base)
        body = {"model": str(tiny_base), "prompt": "x", "max_tokens": 250, "ignore_eos": True, "stream": True}
        with running.client.stream("POST", "/v1/completions", json=body) as answer:
            lines = answer.iter_lines()
            next(lines)
            running.process.send_signal(signal.SIGTERM)
            rest = [line for line in lines if line]
        assert rest[-1] == "data: [DONE]"
        assert json.loads(rest[-2].removeprefix("data: "))["choices"][0]["finish_reason"] == "length"
        assert running.process.wait(10) == 0
        with pytest.raises(httpx.TransportError):
            running.client.get("/health")


def test_whoever_asks_while_it_stops_is_told_when_to_come_back(tiny_base: Path, store: AdapterStore) -> None:
    one_by_one = ("--max-running", "1")
    with worker(*one_by_one, base_model=str(tiny_base), models=tiny_base.parent, store=store.root) as running:
        wait_until_ready(running)
        body = {"model": str(tiny_base), "prompt": "x", "max_tokens": 250, "n": 16, "ignore_eos": True, "stream": True}
        with running.client.stream("POST", "/v1/completions", json=body) as answer:
            lines = answer.iter_lines()
            next(lines)
            running.process.send_signal(signal.SIGTERM)
            while (health := running.client.get("/health")).status_code == 200:
                time.sleep(0.002)
            refused = running.client.post("/v1/completions", json=body)
        assert health.json() == {"status": "stopping"}
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "stopping")
        assert int(refused.headers["Retry-After"]) > 0
        assert running.process.wait(10) == 0


def test_a_worker_that_was_killed_serves_its_voices_again(tiny_base: Path, store: AdapterStore, tmp_path: Path) -> None:
    base = find(str(tiny_base), tiny_base.parent)
    voice = store.put(tiny.write_adapter(tiny.model(), tmp_path / "voice", seed=3, base_digest=base.digest))
    body = {"model": voice, "prompt": "Once", "max_tokens": 20, "temperature": 0, "ignore_eos": True}
    texts = []
    for _ in range(2):
        with worker(base_model=str(tiny_base), models=tiny_base.parent, store=store.root) as running:
            wait_until_ready(running)
            answer = running.client.post("/v1/completions", json=body).json()
            texts.append(answer["choices"][0]["text"])
            running.process.kill()
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("dtype", "has_instructions", "rounded"),
    [("auto", True, [torch.bfloat16]), ("auto", False, []), ("float32", True, [])],
)
def test_auto_is_bf16_where_the_cpu_multiplies_it_and_fp32_may_be_had_by_name(
    dtype: str,
    has_instructions: bool,
    rounded: list[torch.dtype],
    tiny_base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []
    monkeypatch.setattr(weights, "multiplies_bf16", lambda: has_instructions)
    monkeypatch.setattr(weights, "pack", lambda model, dtype: found.append(dtype))
    chosen = read_options([*options(str(tiny_base), tiny_base.parent, tmp_path), "--dtype", dtype])
    load(chosen, lambda *_: None).engine.close()
    assert found == rounded


def test_sizes_and_names_of_metrics_come_from_the_command_line(tiny_base: Path, store: AdapterStore) -> None:
    more = ("--memory-bytes", "4MiB", "--max-rank", "32", "--metrics-prefix", "vllm:")
    with worker(*more, base_model=str(tiny_base), models=tiny_base.parent, store=store.root) as running:
        wait_until_ready(running)
        lines = running.client.get("/metrics").text.splitlines()
    held = [float(line.split()[-1]) for line in lines if line.startswith("idiolect_memory_bytes{")]
    assert 3.9 * 2**20 < sum(held) <= 4 * 2**20
    assert any(line.startswith("vllm:num_requests_running{") for line in lines)


def test_sigterm_while_loading_ends_at_once(tiny_base: Path, store: AdapterStore) -> None:
    with worker(base_model=str(tiny_base), models=tiny_base.parent, store=store.root) as running:
        while True:
            try:
                assert running.client.get("/health").json()["status"] in ("loading", "ok")
                break
            except httpx.TransportError:
                time.sleep(0.02)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(10) == 0


def test_a_missing_base_model_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("IDIOLECT_INFERENCE_SECRET", SECRET)
    assert main([*options("nobody/nothing", tmp_path, tmp_path), "--port", "0"]) == 1
    assert "manage.py fetch_base_model" in caplog.text


def test_no_secret_no_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("IDIOLECT_INFERENCE_SECRET", raising=False)
    assert main(options("any", tmp_path, tmp_path)) == 2
    assert "IDIOLECT_INFERENCE_SECRET is empty" in caplog.text


def test_senseless_limits_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*options("any", tmp_path, tmp_path), "--max-running", "0"])
    assert "max_running must be at least 1" in capsys.readouterr().err
