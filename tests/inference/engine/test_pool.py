"""Adapters come from disk while the others write, make room for each other, and leave when nobody needs them."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from adapters.lora_files import Adapter, Checked
from inference.engine import AdapterInfo, Engine, UnknownAdapter, pool
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, Written, request, run
from tests.inference.engine.inside import leaks, settle

BAD = "ab" * 32


class Disk:
    """Reads wait until they may go on; `reads` are those that were begun."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.threads: set[int] = set()
        self._real = pool.read
        self._open: dict[str, threading.Event] = {}

    def slow(self, digest: str) -> None:
        self._open[digest] = threading.Event()

    def go_on(self) -> None:
        for event in self._open.values():
            event.set()
        self._open = {}

    def read(self, checked: Checked, block: torch.Tensor) -> Adapter:
        self.reads.append(checked.digest)
        self.threads.add(threading.get_ident())
        if (event := self._open.get(checked.digest)) is not None:
            assert event.wait(30)
        return self._real(checked, block)


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


def register(engine: Engine, *adapters: tuple[str, Path]) -> None:
    for digest, folder in adapters:
        engine.register(engine.check_adapter(digest, folder))


def told(engine: Engine) -> dict[str, tuple[str, int, int]]:
    return {i.digest: (i.tier, i.requests_running, i.requests_waiting) for i in engine.adapters()}


def tiers(engine: Engine) -> dict[str, str]:
    return {info.digest: info.tier for info in engine.adapters()}


def device_bytes(infos: list[AdapterInfo]) -> int:
    return sum(info.bytes for info in infos if info.tier == "device")


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


def test_installed_and_registered_adapters_write_the_same(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    engine = make_engine()
    written = []
    for digest, folder in voices.items():
        engine.install(engine.read_adapter(digest, folder), folder)
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


# Failure


def test_an_adapter_that_turns_out_corrupt_fails_its_own_requests_only(
    make_engine: Callable[..., Engine], voices: dict[str, Path], doomed: Path
) -> None:
    good = next(iter(voices))
    engine = make_engine(max_running=2)
    register(engine, (BAD, doomed), (good, voices[good]))
    expected = run(engine, request("good", adapter=good), request("base"))
    path = doomed / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    bad = [request(f"bad {i}", adapter=BAD) for i in range(3)]
    written = run(engine, bad[0], request("good", adapter=good), bad[1], request("base"), bad[2])
    assert {id: written.tokens[id] for id in ("good", "base")} == expected.tokens
    for each in bad:
        last = written.last[each.id]
        assert (last.finish_reason, written.tokens[each.id]) == ("error", [])
        assert f"adapter {BAD} is refused" in (last.error or "")
    assert tiers(engine) == {good: "device", BAD: "disk"}
    assert leaks(engine) == []


def test_an_adapter_whose_file_was_repaired_is_served_again(
    make_engine: Callable[..., Engine], doomed: Path, tmp_path: Path
) -> None:
    engine = make_engine()
    register(engine, (BAD, doomed))
    away = tmp_path / "away"
    (doomed / "adapter_model.safetensors").rename(away)
    assert run(engine, request("it", adapter=BAD)).last["it"].finish_reason == "error"
    away.rename(doomed / "adapter_model.safetensors")
    assert len(run(engine, request("it", adapter=BAD)).tokens["it"]) == 12


@pytest.mark.parametrize("change", ["other rank", "not finite", "gone"])
def test_a_file_that_changed_since_it_was_checked_is_refused(
    make_engine: Callable[..., Engine], tiny_model: LlamaForCausalLM, doomed: Path, change: str
) -> None:
    from safetensors.torch import load_file, save_file

    other = None if change != "other rank" else tiny.write_adapter(tiny_model, doomed.parent / "other", seed=1, r=4)
    engine = make_engine()
    register(engine, (BAD, doomed))
    path = doomed / "adapter_model.safetensors"
    if other is not None:
        shutil.copy(other / "adapter_model.safetensors", path)
    elif change == "not finite":
        save_file({name: weight / 0 for name, weight in load_file(path).items()}, path)
    else:
        shutil.rmtree(doomed)
    last = run(engine, request("it", adapter=BAD)).last["it"]
    assert last.finish_reason == "error"
    assert BAD in (last.error or "")
    assert leaks(engine) == []


# Unloading


def test_removing_an_adapter_that_is_being_read(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    digest, folder = next(iter(voices.items()))
    engine = make_engine()
    register(engine, (digest, folder))
    disk.slow(digest)
    engine.submit(request("it", adapter=digest))
    engine.step()
    engine.remove_adapter(digest)
    with pytest.raises(UnknownAdapter):
        engine.submit(request("late", adapter=digest))
    assert engine.cancel("it")
    assert not engine.has_adapter(digest)
    disk.go_on()
    settle(engine)
    assert engine.adapters() == []
    assert engine.snapshot().adapter_bytes["device"] == 0
    assert leaks(engine) == []


def test_who_waits_for_an_adapter_that_is_removed_meanwhile_still_gets_its_text(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    digest, folder = next(iter(voices.items()))
    engine = make_engine()
    register(engine, (digest, folder))
    expected = run(engine, request("it", adapter=digest)).tokens
    engine.remove_adapter(digest)
    register(engine, (digest, folder))
    disk.slow(digest)
    engine.submit(request("it", adapter=digest))
    engine.step()
    engine.remove_adapter(digest)
    disk.go_on()
    assert run(engine).tokens == expected
    assert engine.adapters() == []
    assert leaks(engine) == []


def test_an_adapter_that_comes_back_while_it_is_being_read_is_read_once(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    digest, folder = next(iter(voices.items()))
    engine = make_engine()
    register(engine, (digest, folder))
    disk.slow(digest)
    engine.submit(request("it", adapter=digest))
    engine.step()
    engine.remove_adapter(digest)
    engine.cancel("it")
    engine.add_adapter(digest, folder)
    disk.go_on()
    assert len(run(engine, request("again", adapter=digest)).tokens["again"]) == 12
    assert disk.reads == [digest]
    assert tiers(engine) == {digest: "device"}


def test_an_adapter_in_use_goes_after_the_last_request(
    make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    digest, folder = next(iter(voices.items()))
    engine = make_engine(prefix_cache=False)
    engine.add_adapter(digest, folder)
    for name, tokens in (("short", 3), ("long", 6)):
        engine.submit(request(name, adapter=digest, max_tokens=tokens))
    engine.step()
    engine.remove_adapter(digest)
    held = []
    while engine.has_work():
        engine.step()
        held.append(engine.snapshot().adapter_bytes["device"])
    assert held == [8 * FRAME] * 4 + [0]
    assert leaks(engine) == []


def test_a_new_version_runs_beside_the_old_one(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    old, new = list(voices)[:2]
    engine = make_engine()
    for digest in (old, new):
        engine.add_adapter(digest, voices[digest])
    expected = {id: run(engine, request(id, adapter=d)).tokens[id] for id, d in (("old", old), ("new", new))}
    engine.remove_adapter(new)
    engine.submit(request("old", adapter=old))
    written = Written()
    for _ in range(3):
        written.add(engine.step())
    engine.remove_adapter(old)
    engine.add_adapter(new, voices[new])
    engine.submit(request("new", adapter=new))
    while engine.has_work():
        written.add(engine.step())
    assert written.tokens == expected
    assert tiers(engine) == {new: "device"}


def test_closing_while_an_adapter_is_read(
    make_engine: Callable[..., Engine], voices: dict[str, Path], disk: Disk
) -> None:
    engine = make_engine()
    register(engine, *voices.items())
    for digest in voices:
        disk.slow(digest)
        engine.submit(request(digest, adapter=digest))
    engine.step()
    threading.Timer(0.05, disk.go_on).start()
    engine.close()
    assert not engine.has_work()


def test_the_snapshot_adds_up(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine(memory_bytes=40 * FRAME, max_rank=16)
    register(engine, *voices.items())
    sizes: dict[str, Any] = {info.digest: info.bytes for info in engine.adapters()}
    for digest in voices:
        engine.submit(request(digest, adapter=digest))
    while engine.has_work():
        engine.step()
        snapshot = engine.snapshot()
        held = snapshot.adapter_bytes
        assert held["disk"] + held["device"] >= sum(sizes.values())  # one that is being read is in both
        assert held["device"] + snapshot.page_bytes + snapshot.prefix_bytes <= snapshot.memory_bytes
        assert snapshot.page_bytes == sum(len(s.held.pages) for s in engine._scheduler.running) * FRAME
    assert device_bytes(engine.adapters()) == engine.snapshot().adapter_bytes["device"]
