"""Engines around the tiny model. Knows how to run requests to their end.
Knows nothing of HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # read when Triton is first imported, which transformers may do

from transformers import LlamaForCausalLM

from adapters.store import AdapterStore
from inference.engine import Engine, EngineConfig, Output, Request, SamplingParams, pool
from tests.inference import tiny
from tests.inference.engine.inside import Disk


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """For tensors this small a second thread costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_model() -> LlamaForCausalLM:
    return tiny.model()


@pytest.fixture(scope="session")
def voices(tiny_model: LlamaForCausalLM, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Six adapters in a store, of mixed ranks and targets: digest -> folder."""
    root = tmp_path_factory.mktemp("voices")
    store = AdapterStore(root / "store")
    shapes: list[dict[str, Any]] = [
        {"r": 8},
        {"r": 16},
        {"r": 4, "target_modules": ["q_proj", "v_proj"]},
        {"r": 3, "lora_alpha": 7},
        {"r": 8, "use_rslora": True},
        {"r": 8},
    ]
    digests = [
        store.put(tiny.write_adapter(tiny_model, root / str(seed), seed=seed, **shape))
        for seed, shape in enumerate(shapes)
    ]
    return {digest: store.verify(digest) for digest in digests}


@pytest.fixture
def make_engine(tiny_model: LlamaForCausalLM) -> Iterator[Callable[..., Engine]]:
    """`make_engine(max_running=2, ...)`: an engine around the tiny model, which is given back after the test."""
    made: list[Engine] = []

    def make(**limits: Any) -> Engine:
        assert not made, "one engine at a time owns the model"
        made.append(Engine(tiny_model, tiny.tokenizer(), EngineConfig(base_digest=tiny.DIGEST, **limits)))
        return made[0]

    yield make
    for engine in made:
        engine.close()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, make_engine: Callable[..., Engine]) -> Iterator[Disk]:
    """Asked for after `make_engine`, so that what waits goes on before the engine is closed."""
    disk = Disk()
    monkeypatch.setattr(pool, "read", disk.read)
    yield disk
    disk.go_on()


@pytest.fixture
def doomed(tiny_model: LlamaForCausalLM, tmp_path: Path) -> Path:
    """An adapter whose files a test may spoil."""
    return tiny.write_adapter(tiny_model, tmp_path / "doomed", seed=77)


FRAME = 9216
"""Bytes of a frame with the tiny model: 16 tokens; an adapter of rank 8 takes 8 frames."""


def request(
    id: str, prompt: str | tuple[int, ...] = "Once upon", adapter: str | None = None, **sampling: Any
) -> Request:
    """Greedy, 12 tokens and past end-of-text, unless told otherwise."""
    ids = tuple(tiny.tokenizer()(prompt).input_ids) if isinstance(prompt, str) else prompt
    fields = {"temperature": 0.0, "max_tokens": 12, "ignore_eos": True} | sampling
    return Request(id=id, prompt=ids, adapter=adapter, sampling=SamplingParams(**fields))


class Written:
    """Everything that came out of a run, by request."""

    def __init__(self) -> None:
        self.tokens: dict[str, list[int]] = {}
        self.text: dict[str, str] = {}
        self.last: dict[str, Output] = {}

    def add(self, outputs: list[Output]) -> None:
        for output in outputs:
            self.tokens.setdefault(output.request_id, []).extend(output.token_ids)
            self.text[output.request_id] = self.text.get(output.request_id, "") + output.text
            self.last[output.request_id] = output


def run(engine: Engine, *requests: Request) -> Written:
    """Submit all at once and step until nothing is left."""
    written = Written()
    for each in requests:
        engine.submit(each)
    while engine.has_work():
        written.add(engine.step())
    return written
