"""Whatever comes, goes and is cancelled in whatever order: every request ends, with its own text, and nothing is left.

Hypothesis makes up the scripts, the same ones at every run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from inference.engine import Engine, EngineConfig, Output, QueueFull, Request, UnknownAdapter
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, request, run
from tests.inference.engine.inside import hopeful, leaks, runs_ahead, settle

LENGTHS = (1, 15, 16, 17, 40, 33, 100, 64)
SAMPLING: tuple[dict[str, Any], ...] = (
    {},
    {"max_tokens": 1},
    {"max_tokens": 28},
    {"temperature": 0.9, "seed": 3, "max_tokens": 20},
    {"temperature": 0.8, "seed": 4, "presence_penalty": 0.8, "max_tokens": 18},
    {"stop": ("e", "A"), "max_tokens": 25},
    {"min_tokens": 6, "ignore_eos": False, "temperature": 1.3, "seed": 9},
)
KINDS = 40
MOST_STEPS = 4000

kinds = st.integers(0, KINDS - 1)
voice_numbers = st.integers(0, 5)
actions = st.one_of(
    st.tuples(st.just("submit"), kinds, st.sampled_from(["ada", "ben", None])),
    st.tuples(st.just("submit"), kinds, st.sampled_from(["ada", "ben", None])),
    st.tuples(st.just("flood"), kinds, st.integers(2, 9)),
    st.tuples(st.just("step"), st.integers(1, 12)),
    st.tuples(st.just("cancel"), st.integers(0, 100)),
    st.tuples(st.just("remove"), voice_numbers),
    st.tuples(st.just("register"), voice_numbers),
    st.tuples(st.just("install"), voice_numbers),
)
limits = st.fixed_dictionaries(
    {
        "memory_bytes": st.integers(24, 60).map(lambda frames: frames * FRAME),
        "max_running": st.integers(1, 8),
        "max_waiting": st.sampled_from([4, 100]),
        "prefill_tokens": st.sampled_from([1, 7, 16, 128]),
        "prefix_cache": st.booleans(),
        "patience_seconds": st.sampled_from([0.001, 10.0]),
    }
)


@pytest.fixture(scope="module")
def alone(tiny_model: LlamaForCausalLM, voices: dict[str, Path]) -> list[tuple[Request, Output, list[int]]]:
    """Requests of all kinds; how each ends and its tokens, when nobody else is there and memory is no matter."""
    digests = [None, *voices]
    engine = Engine(tiny_model, tiny.tokenizer(), EngineConfig(base_digest=tiny.DIGEST, prefix_cache=False))
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    made = []
    for i in range(KINDS):
        length = LENGTHS[i % len(LENGTHS)]
        # Several begin alike, some of them for the same voice.
        prompt = tuple(range(40 + i % 3, 40 + i % 3 + length))
        asked = request("it", prompt, digests[i * 5 % len(digests)], **SAMPLING[i % len(SAMPLING)])
        written = run(engine, asked)
        made.append((asked, written.last["it"], written.tokens["it"]))
    engine.close()
    return made


@dataclass
class Script:
    """Plays actions on an engine and keeps in mind what must be true."""

    engine: Engine
    alone: list[tuple[Request, Output, list[int]]]
    voices: dict[str, Path]
    known: set[str] = field(default_factory=set)
    """Voices that may be asked for."""
    asked: dict[str, int] = field(default_factory=dict)
    """Request -> its kind."""
    tokens: dict[str, list[int]] = field(default_factory=dict)
    ended: dict[str, Output] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)

    def play(self, action: tuple[Any, ...]) -> None:
        name, *values = action
        getattr(self, name)(*values)

    def submit(self, kind: int, owner: str | None) -> None:
        template = self.alone[kind][0]
        id = str(len(self.asked))
        asked = Request(
            id=id, prompt=template.prompt, adapter=template.adapter, owner=owner, sampling=template.sampling
        )
        try:
            self.engine.submit(asked)
        except UnknownAdapter:
            assert template.adapter not in self.known
        except QueueFull:
            limits = self.engine._scheduler
            assert len(self.left()) == limits._max_running + limits._max_waiting
        else:
            assert template.adapter is None or template.adapter in self.known
            self.asked[id] = kind
            self.tokens[id] = []

    def flood(self, kind: int, count: int) -> None:
        for _ in range(count):
            self.submit(kind, "flood")

    def step(self, count: int) -> None:
        for _ in range(count):
            for output in self.engine.step():
                assert output.request_id not in self.ended
                assert output.request_id not in self.cancelled
                self.tokens[output.request_id] += output.token_ids
                if output.finish_reason is not None:
                    self.ended[output.request_id] = output

    def cancel(self, number: int) -> None:
        id = str(number % (len(self.asked) + 1))
        there = id in self.asked and id not in self.ended and id not in self.cancelled
        assert self.engine.cancel(id) == there
        if there:
            self.cancelled.add(id)

    def remove(self, number: int) -> None:
        digest = list(self.voices)[number]
        if digest in self.known:
            self.engine.remove_adapter(digest)
            self.known.remove(digest)
        assert not self.engine.has_adapter(digest)

    def register(self, number: int) -> None:
        digest = list(self.voices)[number]
        self.engine.register(self.engine.check_adapter(digest, self.voices[digest]))
        self.known.add(digest)

    def install(self, number: int) -> None:
        digest = list(self.voices)[number]
        self.engine.add_adapter(digest, self.voices[digest])
        self.known.add(digest)

    def left(self) -> set[str]:
        return self.asked.keys() - self.ended.keys() - self.cancelled

    def finish(self) -> None:
        for _ in range(MOST_STEPS):
            if not self.engine.has_work():
                break
            self.step(1)
        assert not self.left()

    def check(self) -> None:
        for id, kind in self.asked.items():
            _, last, tokens = self.alone[kind]
            if id in self.cancelled:
                assert self.tokens[id] == tokens[: len(self.tokens[id])]
            else:
                assert self.tokens[id] == tokens
                assert (self.ended[id].finish_reason, self.ended[id].error) == (last.finish_reason, None)
        settle(self.engine)
        assert leaks(self.engine) == []
        assert {info.digest for info in self.engine.adapters()} == self.known


@settings(max_examples=40, derandomize=True, database=None, deadline=None)
@given(
    limits=limits,
    ahead=st.booleans(),
    hopes=st.booleans(),
    registered=st.sets(voice_numbers, min_size=2),
    actions=st.lists(actions, min_size=10, max_size=40),
)
def test_every_request_ends_with_its_own_text_and_nothing_is_left(
    tiny_model: LlamaForCausalLM,
    voices: dict[str, Path],
    alone: list[tuple[Request, Output, list[int]]],
    limits: dict[str, Any],
    ahead: bool,
    hopes: bool,
    registered: set[int],
    actions: list[tuple[Any, ...]],
) -> None:
    config = EngineConfig(base_digest=tiny.DIGEST, max_rank=16, **limits)
    engine = Engine(tiny_model, tiny.tokenizer(), config)
    try:
        if ahead:
            runs_ahead(engine)
        if hopes:
            hopeful(engine)
        script = Script(engine, alone, voices)
        for number in sorted(registered):
            script.register(number)
        for action in actions:
            script.play(action)
        script.finish()
        script.check()
    finally:
        engine.close()
