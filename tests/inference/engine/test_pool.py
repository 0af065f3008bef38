"""Adapters come from disk while the others write, and make room for each other."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from transformers import LlamaForCausalLM

from inference.engine import Engine
from tests.inference.engine.conftest import FRAME, Written, request, run
from tests.inference.engine.inside import Disk, leaks, register, settle, tiers, told

# Loading


def test_a_registered_adapter_is_read_when_it_is_first_asked_for(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    digest, folder = next(iter(voices.items()))
    engine = make_engine()
    register(engine, (digest, folder))
    assert engine.has_adapter(digest)
    assert told(engine) == {digest: ("disk", 0, 0)}
    assert disk.reads == []
    tokens = run(engine, request("first", adapter=digest)).tokens["first"]
    assert tiers(engine) == {digest: "device"}
    assert run(engine, request("second", adapter=digest)).tokens["second"] == tokens
    assert disk.reads == [digest]
    assert threading.get_ident() not in disk.threads


def test_loaded_and_registered_adapters_write_the_same(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    engine = make_engine()
    written = []
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
        written.append(run(engine, request("it", adapter=digest)).tokens["it"])
        engine.remove_adapter(digest)
        register(engine, (digest, folder))
        written.append(run(engine, request("it", adapter=digest)).tokens["it"])
    assert written[::2] == written[1::2]


def test_the_others_write_on_while_an_adapter_is_read(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    slow, fast = list(voices)[:2]
    engine = make_engine()
    engine.add_adapter(fast, voices[fast])
    register(engine, (slow, voices[slow]))
    disk.slow(slow)
    names = {"base", "fast", "late"}
    engine.submit(request("base", max_tokens=30))
    engine.submit(request("slow", adapter=slow))
    engine.submit(request("fast", adapter=fast, max_tokens=30))
    engine.submit(request("late", max_tokens=30))
    for _ in range(20):
        assert {output.request_id for output in engine.step() if output.token_ids} == names
    assert told(engine) == {fast: ("device", 1, 0), slow: ("disk", 0, 1)}
    disk.go_on()
    settle(engine)
    assert {output.request_id for output in engine.step() if output.token_ids} == {*names, "slow"}
    assert len(run(engine).tokens["slow"]) == 11


def test_who_waits_for_an_adapter_leaves_its_place_to_those_behind(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    slow = next(iter(voices))
    engine = make_engine(max_running=1)
    register(engine, (slow, voices[slow]))
    disk.slow(slow)
    engine.submit(request("slow", adapter=slow))
    for name in ("a", "b"):
        engine.submit(request(name, max_tokens=3))
    assert [output.request_id for _ in range(6) for output in engine.step()] == ["a"] * 3 + ["b"] * 3
    disk.go_on()
    assert len(run(engine).tokens["slow"]) == 12


def test_many_who_wait_for_slow_adapters_hold_up_nobody_who_needs_none(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    engine = make_engine(memory_bytes=1000 * FRAME, max_rank=16, max_running=4)
    checked = engine.check_adapter(*next(iter(voices.items())))
    ready = list(voices)[-1]
    engine.add_adapter(ready, voices[ready])
    for number in range(60):
        digest = f"{number:064x}"
        disk.slow(digest)
        engine.register(replace(checked, digest=digest))
        engine.submit(request(digest, "x", digest))
    engine.submit(request("base", "x", max_tokens=4))
    engine.submit(request("ready", "x", ready, max_tokens=4))
    assert [output.request_id for _ in range(4) for output in engine.step()] == ["base", "ready"] * 4
    disk.go_on()
    assert len(run(engine).tokens) == 60


def test_an_idle_engine_waits_for_an_adapter_without_spinning(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    slow = next(iter(voices))
    engine = make_engine()
    register(engine, (slow, voices[slow]))
    disk.slow(slow)
    engine.submit(request("it", adapter=slow))
    threading.Timer(0.1, disk.go_on).start()
    steps = 0
    while not engine.step():
        steps += 1
    assert steps <= 60


def test_adapters_are_read_ahead_for_those_who_wait(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    engine = make_engine(max_running=1)
    register(engine, *voices.items())
    engine.submit(request("running", max_tokens=100))
    for digest in voices:
        engine.submit(request(digest, adapter=digest))
    engine.step()
    settle(engine)
    assert set(tiers(engine).values()) == {"device"}
    assert engine.snapshot().running == 1


def test_loads_are_told_once_each(
    tiny_model: LlamaForCausalLM, voices: dict[str, Path], make_engine: Callable[..., Engine]
) -> None:
    engine = make_engine(memory_bytes=26 * FRAME, max_rank=16)
    loads: list[tuple[str, float]] = []
    engine._pool._on_load = lambda tier, seconds: loads.append((tier, seconds))
    register(engine, *voices.items())
    for digest in voices:
        run(engine, request("it", adapter=digest))
    assert [tier for tier, _ in loads] == ["device"] * 6
    assert all(seconds > 0 for _, seconds in loads)


# Eviction


def test_the_least_recently_used_adapter_goes_first(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    a, _, _, d, e, f = voices  # of 8 frames each
    engine = make_engine(memory_bytes=28 * FRAME, max_rank=16, prefix_cache=False)
    register(engine, *voices.items())
    resident = []
    for digest in (a, d, e, a, f, d):
        run(engine, request("it", "x", digest))
        resident.append({digest for digest, tier in tiers(engine).items() if tier == "device"})
    assert resident[2:] == [{a, d, e}, {a, d, e}, {a, e, f}, {a, d, f}]
    assert engine.snapshot().evictions["device"] == 2
    assert disk.reads == [a, d, e, f, d]


def test_what_a_waiting_request_needs_is_not_evicted_for_one_behind_it(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    a, b, *_ = voices
    engine = make_engine(memory_bytes=22 * FRAME, max_rank=16, max_running=1)
    register(engine, (a, voices[a]), (b, voices[b]))
    engine.submit(request("running", "x", max_tokens=20))
    engine.step()
    engine.submit(request("first", "x", a))
    engine.submit(request("second", "x", b))
    for _ in range(10):
        engine.step()
        settle(engine)
    assert disk.reads == [a]


def test_each_of_many_voices_is_read_about_once_in_little_memory(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    """Pages that grow take room from those who are last in line, and nothing is fetched into it that must go again."""
    engine = make_engine(memory_bytes=100 * FRAME, max_rank=8, max_running=4, prefix_cache=False)
    checked = engine.check_adapter(*next(iter(voices.items())))
    for number in range(60):
        engine.register(replace(checked, digest=f"{number:064x}"))
        engine.submit(request(str(number), "x" * 20, f"{number:064x}", max_tokens=40))
    assert len(run(engine).tokens) == 60
    assert len(disk.reads) <= 75


def test_adapters_take_what_prefixes_leave_and_the_other_way_round(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    engine = make_engine(memory_bytes=40 * FRAME, max_rank=16)
    register(engine, *voices.items())
    for digest in voices:
        run(engine, request("it", "x", digest))
    before = engine.snapshot()
    assert before.adapter_bytes["device"] > 24 * FRAME
    for i in range(6):
        run(engine, request("it", tuple(range(i, i + 100))))
    middle = engine.snapshot()
    assert middle.prefix_bytes >= 30 * FRAME
    assert middle.adapter_bytes["device"] < 10 * FRAME
    for digest in voices:
        run(engine, request("it", "x", digest))
    after = engine.snapshot()
    assert after.adapter_bytes["device"] > 24 * FRAME
    assert after.prefix_bytes + after.adapter_bytes["device"] <= after.memory_bytes


def test_a_thousand_registered_voices_cost_no_memory(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    folder = next(iter(voices.values()))
    engine = make_engine(memory_bytes=40 * FRAME, max_rank=8)
    digests = [f"{i:064x}" for i in range(2000)]
    register(engine, *((digest, folder) for digest in digests))
    assert len(engine.adapters()) == 2000
    assert engine.snapshot().adapter_bytes["device"] == 0
    expected = run(engine, request("it", adapter=digests[0])).tokens["it"]
    for start in range(0, 60, 6):
        wanted = digests[start : start + 6]
        written = run(engine, *(request(digest, adapter=digest) for digest in wanted))
        assert set(map(tuple, written.tokens.values())) == {tuple(expected)}
        snapshot = engine.snapshot()
        assert snapshot.adapter_bytes["device"] <= 40 * FRAME
        assert snapshot.adapter_bytes["device"] + snapshot.adapter_bytes["disk"] == 2000 * 8 * FRAME
    assert len(disk.reads) >= 60
    settle(engine)
    assert leaks(engine) == []


def test_an_adapter_that_needs_nearly_all_memory_is_served_beside_many_small_ones(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    """Others of small adapters come all the time; the large one is never there, and must not wait for ever."""
    _, large, _, *small = voices
    engine = make_engine(memory_bytes=26 * FRAME, max_rank=16, max_running=6, patience_seconds=0.2)
    register(engine, *voices.items())
    written = Written()
    asked = Counter[str]()

    def keep_busy() -> None:
        """Before the last request for a small adapter ends, the next one of it runs."""
        for voice in small[:2]:
            for _ in range(3 - sum(s.request.adapter == voice for s in engine._sequences.values())):
                asked[voice] += 1
                engine.submit(request(f"{voice} {asked[voice]}", "y", voice, max_tokens=20 + 7 * (asked[voice] % 3)))

    keep_busy()
    for _ in range(5):
        engine.step()
        settle(engine)
    engine.submit(request("large", "x", large))
    for _ in range(800):
        keep_busy()
        written.add(engine.step())
        if "large" in written.tokens:
            break
    assert "large" in written.tokens
