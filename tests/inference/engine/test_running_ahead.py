"""A step that is launched before the last one's tokens are read changes no text, whatever happens between the two."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from inference.engine import Engine, EngineConfig, Request, kernels
from inference.engine.sequence import Sequence
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, Written, request, run
from tests.inference.engine.inside import (
    before_launch,
    hopeful,
    leaks,
    out_of_memory,
    preempt_within_steps,
    running,
    runs_ahead,
)

Alone = Callable[..., dict[str, Any]]


@pytest.fixture
def both(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> Callable[..., tuple[Engine, Written]]:
    """Requests written one by one and step by step; and the same engine from then on a step ahead."""

    def make(*requests: Request, **limits: Any) -> tuple[Engine, Written]:
        engine = make_engine(**limits)
        for digest, folder in voices.items():
            engine.add_adapter(digest, folder)
        alone = Written()
        for each in requests:
            found = run(engine, each)
            alone.tokens |= found.tokens
            alone.text |= found.text
            alone.last |= found.last
        return runs_ahead(engine), alone

    return make


def same(found: Written, expected: Written) -> bool:
    """Tokens, text and how each ended."""
    ends = [{id: output.finish_reason for id, output in each.last.items()} for each in (found, expected)]
    return (found.tokens, found.text, ends[0]) == (expected.tokens, expected.text, ends[1])


@pytest.fixture
def on_triton(monkeypatch: pytest.MonkeyPatch) -> Callable[[], torch.device]:
    """Let engines run on kernels from now on: in Triton's interpreter without a GPU, steps not being captured."""
    pytest.importorskip("triton")

    def captured(work: Callable[[], None], memory: object) -> SimpleNamespace:
        return SimpleNamespace(replay=work)

    def use() -> torch.device:
        if torch.cuda.is_available():
            return torch.device("cuda")
        triton = replace(kernels.on(torch.device("cuda")), captured=captured, shared=lambda: None)
        monkeypatch.setattr(kernels, "on", lambda device: triton)
        return torch.device("cpu")

    return use


def asked(voices: dict[str, Path], **sampling: Any) -> list[Request]:
    cases = enumerate([None, *voices, None])
    return [request(str(i), "x" * (7 * i + 1), voice, **{"max_tokens": 9 + i, **sampling}) for i, voice in cases]


@pytest.mark.parametrize("limits", [{}, {"prefill_tokens": 5}, {"max_running": 2}, {"prefix_cache": False}])
def test_the_texts_are_the_same(
    both: Callable[..., tuple[Engine, Written]], voices: dict[str, Path], limits: dict[str, Any]
) -> None:
    requests = asked(voices)
    engine, alone = both(*requests, **limits)
    assert same(run(engine, *requests), alone)
    assert leaks(engine) == []


def test_what_a_step_hands_out_is_one_step_old(both: Callable[..., tuple[Engine, Written]]) -> None:
    engine, _ = both(request("it", max_tokens=3))
    engine.submit(request("it", max_tokens=3))
    assert [len(engine.step()) for _ in range(4)] == [0, 1, 1, 1]
    assert not engine.has_work()
    assert engine.step() == []


def test_texts_that_end_by_strings_tokens_or_length(
    both: Callable[..., tuple[Engine, Written]], voices: dict[str, Path], make_engine: Callable[..., Engine]
) -> None:
    probe, voice = request("probe", "abc", max_tokens=40), list(voices)[1]
    engine, whole = both(probe)
    text, tokens = whole.text["probe"], whole.tokens["probe"]
    engine._runner.runs_ahead = False
    requests = [
        request("string", "abc", max_tokens=40, stop=(text[12:14],)),
        request("token", "abc", max_tokens=40, stop_token_ids=(tokens[7],)),
        request("length", "abc", max_tokens=1),
        request("late", "abc", max_tokens=40, min_tokens=15, stop_token_ids=(tokens[7],)),
        request("voice", "abc", voice, max_tokens=25),
        request("context", "x" * 250, max_tokens=None),
    ]
    alone = Written()
    for each in requests:
        found = run(engine, each)
        alone.tokens |= found.tokens
        alone.text |= found.text
        alone.last |= found.last
    assert {output.finish_reason for output in alone.last.values()} == {"stop", "length"}
    engine._runner.runs_ahead = True
    assert same(run(engine, *requests), alone)
    assert leaks(engine) == []


@pytest.mark.parametrize(
    "sampling",
    [
        {"presence_penalty": 1.0},
        {"repetition_penalty": 1.4},
        {"frequency_penalty": 0.7, "temperature": 0.8, "seed": 5},
        {"temperature": 1.2, "top_p": 0.9, "seed": 6},
        {"temperature": 1.0, "min_tokens": 6, "seed": 7, "ignore_eos": False},
    ],
    ids=lambda sampling: next(iter(sampling)),
)
def test_penalties_and_seeds_choose_the_same_tokens(
    both: Callable[..., tuple[Engine, Written]], voices: dict[str, Path], sampling: dict[str, Any]
) -> None:
    requests = [*asked(voices, **sampling), request("greedy", "other", max_tokens=15)]
    engine, alone = both(*requests)
    assert same(run(engine, *requests), alone)


def test_logprobs_stay_with_their_tokens(both: Callable[..., tuple[Engine, Written]]) -> None:
    requests = [request(str(i), "abc" * (i + 1), logprobs=i, max_tokens=6 + i) for i in range(3)]
    engine, _ = both()

    def told(ahead: bool) -> dict[str, list[tuple[int, float]]]:
        engine._runner.runs_ahead = ahead
        found: dict[str, list[tuple[int, float]]] = {}
        for each in requests:
            engine.submit(each)
        while engine.has_work():
            for o in engine.step():
                assert len(o.logprobs) == len(o.token_ids)
                pairs = zip(o.token_ids, o.logprobs, strict=True)
                found.setdefault(o.request_id, []).extend((token, round(p.logprob, 3)) for token, p in pairs)
        return found

    assert told(True) == told(False)


def test_requests_that_come_and_are_cancelled_between_steps(
    both: Callable[..., tuple[Engine, Written]], voices: dict[str, Path]
) -> None:
    requests = asked(voices)
    engine, alone = both(*requests, prefill_tokens=10, max_running=4)
    choose = random.Random(1)
    gone: set[str] = set()
    written = Written()
    waiting = list(requests)
    while waiting or engine.has_work():
        if waiting and choose.random() < 0.5:
            engine.submit(waiting.pop(0))
        written.add(outputs := engine.step())
        assert not gone & {output.request_id for output in outputs}
        if len(gone) < 3 and (able := running(engine)) and choose.random() < 0.15:
            gone.add(id := choose.choice(able).request.id)
            assert engine.cancel(id)
    assert gone
    for each in requests:
        if each.id not in gone:
            assert written.tokens[each.id] == alone.tokens[each.id]
    assert leaks(engine) == []


def test_a_cancelled_request_leaves_its_pages_to_the_next_step(both: Callable[..., tuple[Engine, Written]]) -> None:
    """Its last step may still run; whoever takes its pages comes behind that."""
    requests = [request("it", tuple(range(100)), max_tokens=20)]
    engine, alone = both(*requests, memory_bytes=28 * FRAME, max_rank=16, prefix_cache=False)
    for i in range(5):
        engine.submit(request(f"gone {i}", tuple(range(i, i + 150)), max_tokens=20))
        engine.step()
        engine.step()
        engine.cancel(f"gone {i}")
    assert run(engine, *requests).tokens == alone.tokens


@pytest.mark.parametrize("prefix_cache", [True, False])
def test_requests_that_are_preempted_between_steps(
    both: Callable[..., tuple[Engine, Written]], voices: dict[str, Path], prefix_cache: bool
) -> None:
    requests = [*asked(voices), request("penalty", "abc", presence_penalty=1.0, temperature=0.9, seed=3)]
    engine, alone = both(*requests, prefill_tokens=20, prefix_cache=prefix_cache)
    choose = random.Random(2)

    def some(running: list[Sequence]) -> list[Sequence]:
        tired = engine.snapshot().preemptions >= 20 or choose.random() < 0.4
        return [] if tired else choose.sample(running, min(len(running), 2))

    preempt_within_steps(engine, some)
    assert same(run(engine, *requests), alone)
    assert engine.snapshot().preemptions >= 20
    assert leaks(engine) == []


def test_memory_that_runs_out(both: Callable[..., tuple[Engine, Written]]) -> None:
    requests = [request(str(i), tuple(range(i, i + 30)), max_tokens=60) for i in range(4)]
    engine, alone = both(*requests, memory_bytes=22 * FRAME, max_rank=16)
    assert same(run(hopeful(engine), *requests), alone)
    assert engine.snapshot().preemptions > 0
    assert leaks(engine) == []


def test_a_device_that_is_out_of_memory(both: Callable[..., tuple[Engine, Written]]) -> None:
    requests = [request(str(i), tuple(range(i, i + 30)), max_tokens=20, temperature=i / 4, seed=i) for i in range(5)]
    engine, alone = both(*requests, prefix_cache=False)
    steps = iter(range(10**6))

    def look(chunks: list[Any]) -> None:
        if next(steps) in (2, 5, 25):
            raise out_of_memory()

    before_launch(engine, look)
    assert same(run(engine, *requests), alone)
    assert engine.snapshot().preemptions > 0
    assert leaks(engine) == []


def test_with_kernels_and_tokens_that_stay_on_the_device(
    both: Callable[..., tuple[Engine, Written]], tiny_model: LlamaForCausalLM, on_triton: Callable[[], torch.device]
) -> None:
    requests = [request("greedy", "ab", max_tokens=3), request("seeded", "x", temperature=1.0, seed=4, max_tokens=3)]
    plain, alone = both(*requests)
    plain.close()
    config = EngineConfig(
        base_digest=tiny.DIGEST, max_running=2, prefill_tokens=4, memory_bytes=2**24, host_bytes=2**20
    )
    engine = Engine(copy.deepcopy(tiny_model).to(on_triton()), tiny.tokenizer(), config)
    steps = itertools.count()
    preempt_within_steps(engine, lambda running: running[1:] if next(steps) == 2 else [])
    assert same(run(engine, *requests), alone)
    assert engine.snapshot().preemptions == 1
    engine.close()
