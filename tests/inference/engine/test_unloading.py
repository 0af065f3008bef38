"""Adapters that fail harm their own requests only, and adapters leave when nobody needs them."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import LlamaForCausalLM

from inference.engine import AdapterInfo, Engine, UnknownAdapter
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, Written, request, run
from tests.inference.engine.inside import Disk, leaks, register, settle, tiers

BAD = "ab" * 32


def device_bytes(infos: list[AdapterInfo]) -> int:
    return sum(info.bytes for info in infos if info.tier == "device")


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


@pytest.mark.parametrize("change", ["other rank", "fewer modules", "not finite", "gone"])
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
    elif change == "fewer modules":
        # What would be missing must not be what lay in this memory before.
        save_file({name: weight for name, weight in load_file(path).items() if "layers.1.mlp" not in name}, path)
    else:
        shutil.rmtree(doomed)
    last = run(engine, request("it", adapter=BAD)).last["it"]
    assert last.finish_reason == "error"
    assert BAD in (last.error or "")
    assert leaks(engine) == []


def test_who_looks_at_the_adapters_does_not_hide_that_one_has_failed(
    make_engine: Callable[..., Engine], doomed: Path, disk: Disk
) -> None:
    engine = make_engine()
    register(engine, (BAD, doomed))
    (doomed / "adapter_model.safetensors").write_bytes(b"no weights")
    engine.submit(request("it", adapter=BAD))
    engine.step()
    settle(engine)
    engine.adapters()
    assert run(engine).last["it"].finish_reason == "error"
    assert disk.reads == [BAD]


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
    register(engine, (digest, folder))
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
