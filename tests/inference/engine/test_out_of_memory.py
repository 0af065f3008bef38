"""A step for which the device lacks memory is tried in smaller pieces; no text changes, and the engine goes on."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch

from inference.engine import Engine, Request, steps
from inference.engine.scheduler import Chunk
from tests.inference.engine.conftest import Written, request, run
from tests.inference.engine.inside import before_launch, leaks, out_of_memory


def has_memory_for(engine: Engine, *, rows: int = 10**9, sequences: int = 10**9) -> None:
    """A device on which larger steps do not fit."""

    def look(chunks: list[Chunk]) -> None:
        if sum(chunk.count for chunk in chunks) > rows or len(chunks) > sequences:
            raise out_of_memory()

    before_launch(engine, look)


@pytest.fixture
def asked() -> list[Request]:
    return [request(str(i), tuple(range(i, i + 60)), max_tokens=20) for i in range(6)]


def run_within(engine: Engine, steps: int, *requests: Request) -> Written:
    written = Written()
    for each in requests:
        engine.submit(each)
    for _ in range(steps):
        written.add(engine.step())
        if not engine.has_work():
            return written
    raise AssertionError(f"not done in {steps} steps: {sorted(written.tokens)}")


def test_prompts_that_are_too_much_for_one_step_are_read_in_smaller_pieces(
    make_engine: Callable[..., Engine], asked: list[Request]
) -> None:
    engine = make_engine(prefill_tokens=256, prefix_cache=False)
    alone = {id: tokens for each in asked for id, tokens in run(engine, each).tokens.items()}
    has_memory_for(engine, rows=40)
    assert run_within(engine, 200, *asked).tokens == alone
    assert engine.snapshot().preemptions > 0
    assert leaks(engine) == []


@pytest.mark.parametrize("sequences", [1, 2, 4])
def test_requests_that_do_not_fit_together_run_after_each_other(
    make_engine: Callable[..., Engine], asked: list[Request], sequences: int
) -> None:
    engine = make_engine(prefix_cache=False)
    alone = {id: tokens for each in asked for id, tokens in run(engine, each).tokens.items()}
    has_memory_for(engine, sequences=sequences)
    assert run_within(engine, 400, *asked).tokens == alone
    assert leaks(engine) == []


def test_memory_that_is_short_for_a_moment_costs_nobody_its_text(
    make_engine: Callable[..., Engine], asked: list[Request]
) -> None:
    engine = make_engine(prefix_cache=False)
    alone = {id: tokens for each in asked for id, tokens in run(engine, each).tokens.items()}
    steps = itertools.count()

    def look(chunks: list[Chunk]) -> None:
        if next(steps) in (3, 4, 20):
            raise out_of_memory()

    before_launch(engine, look)
    assert run_within(engine, 200, *asked).tokens == alone


def test_a_seeded_text_stays_the_same_when_memory_ends_after_its_token_was_drawn(
    make_engine: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_engine()
    asked = request("it", temperature=1.0, seed=3, logprobs=2)
    alone = run(engine, asked).tokens
    logprobs, calls = steps.logprobs, itertools.count()

    def short(logits: torch.Tensor, tokens: torch.Tensor, most: int) -> steps.Logprobs:
        if next(calls) in (0, 4, 5):
            raise out_of_memory()
        return logprobs(logits, tokens, most)

    monkeypatch.setattr(steps, "logprobs", short)
    beside = [request(f"beside {i}", "x" * 20) for i in range(3)]  # alone, it would be refused
    assert run_within(engine, 200, asked, *beside).tokens["it"] == alone["it"]
    assert next(calls) > 12


def test_a_request_that_is_too_much_alone_fails_with_a_sentence_and_the_next_one_runs(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(prefix_cache=False)
    alone = run(engine, request("small", "abc")).tokens["small"]

    def look(chunks: list[Chunk]) -> None:
        if any(chunk.sequence.length > 50 for chunk in chunks):
            raise out_of_memory()

    before_launch(engine, look)
    written = run_within(engine, 200, request("huge", "x" * 60), request("small", "abc"))
    assert written.last["huge"].finish_reason == "error"
    assert "too little memory" in (written.last["huge"].error or "")
    assert written.tokens["small"] == alone
    assert leaks(engine) == []
