"""Requests join, share and leave: nobody waits long for a long prompt, and the cancelled hold nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from inference.engine import Engine, InvalidField, QueueFull, UnknownAdapter
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, request, run


def who(engine: Engine) -> set[str]:
    """Requests that got a token in one step."""
    return {output.request_id for output in engine.step() if output.token_ids}


def test_one_step_gives_every_running_sequence_a_token(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    engine = make_engine()
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    names = {str(voice): voice for voice in [None, *voices]}
    for name, voice in names.items():
        engine.submit(request(name, "a", voice))
    assert [who(engine) for _ in range(12)] == [set(names)] * 12
    assert not engine.has_work()


def test_a_new_request_joins_at_the_next_step(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    engine.submit(request("first"))
    assert who(engine) == {"first"}
    engine.submit(request("second"))
    assert who(engine) == {"first", "second"}


def test_a_long_prompt_does_not_stop_the_others(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(prefill_tokens=20)
    engine.submit(request("short", max_tokens=20))
    engine.step()
    engine.submit(request("long", "x" * 100))
    steps = [who(engine) for _ in range(5)]
    assert steps == [{"short"}] * 4 + [{"short", "long"}]


def test_first_come_first_served_beyond_the_limit(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=2)
    for name in ("a", "b", "c"):
        engine.submit(request(name, max_tokens=3))
    assert [who(engine) for _ in range(6)] == [{"a", "b"}] * 3 + [{"c"}] * 3


def test_a_full_queue_refuses(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=1, max_waiting=2)
    for name in ("a", "b", "c"):
        engine.submit(request(name))
    with pytest.raises(QueueFull):
        engine.submit(request("d"))
    engine.cancel("b")
    engine.submit(request("d"))


def test_a_refused_request_does_not_keep_its_adapter(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    engine = make_engine(max_running=1, max_waiting=1)
    digest = next(iter(voices))
    engine.add_adapter(digest, voices[digest])
    engine.submit(request("a"))
    engine.submit(request("b"))
    with pytest.raises(QueueFull):
        engine.submit(request("c", adapter=digest))
    engine.remove_adapter(digest)
    assert engine.adapters() == []


def test_cancelling_frees_everything_at_once(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine(max_running=2, memory_bytes=23 * FRAME, max_rank=16)
    a, b = list(voices)[:2]  # of 8 and 16 frames
    for digest in (a, b):
        engine.add_adapter(digest, voices[digest])
    names = {"running": a, "needs the adapter's place": b, "of the base": None}
    for name, voice in names.items():
        engine.submit(request(name, "x" * 10, voice, max_tokens=20))
    while not engine.snapshot().running_adapters:
        engine.step()
    before = engine.snapshot()
    assert (before.running, before.running_adapters) == (2, {a})
    assert engine.cancel("running")
    assert not engine.cancel("running")
    after = engine.snapshot()
    assert (after.running, after.running_adapters) == (1, set())
    assert after.page_bytes < before.page_bytes
    while engine.snapshot().running_adapters != {b}:
        engine.step()
    assert {info.digest: info.tier for info in engine.adapters()} == {a: "disk", b: "device"}
    for name in names:
        engine.cancel(name)
    assert not engine.has_work()
    assert engine.step() == []
    assert engine.snapshot().page_bytes == 0


def test_cancelled_requests_change_nothing_for_the_others(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(prefill_tokens=8)
    alone = run(engine, request("it", "Keep on")).tokens["it"]
    engine.submit(request("gone", "x" * 50))
    engine.submit(request("it", "Keep on"))
    engine.step()
    engine.cancel("gone")
    assert run(engine).tokens["it"] == alone


def test_when_pages_run_out_the_newest_step_back_and_write_the_same_text(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    engine = make_engine(memory_bytes=28 * FRAME, max_rank=8)
    digest = next(iter(voices))
    engine.add_adapter(digest, voices[digest])
    wanted = [request(str(i), "x" * (10 + i), digest if i % 2 else None, max_tokens=160) for i in range(4)]
    alone = {id: tokens for each in wanted for id, tokens in run(engine, each).tokens.items()}
    assert engine.snapshot().preemptions == 0
    written = run(engine, *wanted)
    assert written.tokens == alone
    assert engine.snapshot().preemptions > 0


def test_the_oldest_is_never_preempted(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(memory_bytes=12 * FRAME, max_rank=8)
    for name in ("a", "b", "c"):
        engine.submit(request(name, "x" * 10, max_tokens=50))
    assert engine.context == 64
    for _ in range(50):
        assert "a" in who(engine)


def test_text_ends_at_the_end_of_the_context(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    written = run(engine, request("it", "x" * (tiny.CONTEXT - 5), max_tokens=None))
    assert len(written.tokens["it"]) == 5
    assert written.last["it"].finish_reason == "length"


def test_end_of_text_ends_it_unless_ignored(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    ignored = run(engine, request("it", "abc", max_tokens=100)).tokens["it"]
    end = ignored[5]
    stopped = run(engine, request("it", "abc", max_tokens=100, stop_token_ids=(end,)))
    assert stopped.tokens["it"] == ignored[: ignored.index(end) + 1]
    assert stopped.last["it"].finish_reason == "stop"


def test_stop_strings_end_the_text(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    whole = run(engine, request("it", "abc", max_tokens=60)).text["it"]
    stop = whole[20:23]
    written = run(engine, request("it", "abc", max_tokens=60, stop=(stop,)))
    assert written.text["it"] == whole[: whole.index(stop)]
    assert written.last["it"].finish_reason == "stop"


@pytest.mark.parametrize(
    ("prompt", "sampling", "field"),
    [
        ((), {}, "prompt"),
        ((257,), {}, "prompt"),
        ((-1,), {}, "prompt"),
        ((1,) * tiny.CONTEXT, {}, "prompt"),
        ((1,), {"stop_token_ids": (257,)}, "stop_token_ids"),
    ],
)
def test_what_can_never_run_is_refused_by_name(
    make_engine: Callable[..., Engine], prompt: tuple[int, ...], sampling: dict[str, tuple[int, ...]], field: str
) -> None:
    engine = make_engine()
    with pytest.raises(InvalidField) as caught:
        engine.submit(request("it", prompt, **sampling))
    assert caught.value.field == field
    assert not engine.has_work()


def test_unknown_adapters_and_used_ids_are_refused(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    with pytest.raises(UnknownAdapter):
        engine.submit(request("it", adapter="c" * 64))
    engine.submit(request("it"))
    with pytest.raises(InvalidField, match="id"):
        engine.submit(request("it"))
