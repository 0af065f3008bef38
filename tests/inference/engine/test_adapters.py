"""Adapters that do not fit are refused by name before any weight moves; the pool evicts and unloads in order."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from inference.engine import AdapterRejected, Engine, Output, UnknownAdapter
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, request, run

NAME = "ab" * 32


@pytest.fixture(scope="module")
def good(tiny_model: LlamaForCausalLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_adapter(tiny_model, tmp_path_factory.mktemp("adapter") / "good", seed=1)


@pytest.fixture
def spoilt(good: Path, tmp_path: Path) -> Path:
    """A copy of a good adapter, for a test to spoil."""
    return Path(shutil.copytree(good, tmp_path / "spoilt"))


def change_config(folder: Path, **fields: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def refusal(engine: Engine, folder: Path) -> str:
    with pytest.raises(AdapterRejected) as caught:
        engine.add_adapter(NAME, folder)
    assert not engine.has_adapter(NAME)
    assert engine.adapters() == []
    assert NAME in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"peft_type": "IA3"}, "peft_type is 'IA3'"),
        ({"use_dora": True}, "use_dora is True"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"r": 4}, "has the shape"),
        ({"r": 0}, "r must be between 1 and 64, not 0"),
        ({"r": 100_000}, "r must be between 1 and 64"),
        ({"r": "8"}, "r must be between"),
        ({"lora_alpha": None}, "lora_alpha must be a number"),
    ],
)
def test_configurations_that_cannot_be_shared(
    make_engine: Callable[..., Engine], spoilt: Path, fields: dict[str, Any], reason: str
) -> None:
    change_config(spoilt, **fields)
    assert reason in refusal(make_engine(), spoilt)


def test_another_base_model(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    (spoilt / "manifest.json").write_text(json.dumps({"base_model": {"name": "other", "digest": "f" * 64}}))
    assert f"trained on the base model {'f' * 64}, and this one is {tiny.DIGEST}" in refusal(make_engine(), spoilt)


def test_a_manifest_that_names_no_base_model(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    (spoilt / "manifest.json").write_text("[]")
    refusal(make_engine(), spoilt)


def test_weights_of_another_shape(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    key = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"
    change_weights(spoilt, lambda tensors: tensors.update({key: torch.zeros(8, 40)}))
    assert "down_proj.lora_A.weight has the shape [8, 40], and the base model needs [8, 96]" in refusal(
        make_engine(), spoilt
    )


def test_weights_for_layers_that_are_not_there(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    key = "base_model.model.model.layers.7.mlp.down_proj.lora_A.weight"
    change_weights(spoilt, lambda tensors: tensors.update({key: torch.zeros(8, 96)}))
    assert "layers.7.mlp.down_proj.lora_A.weight belongs to no linear layer" in refusal(make_engine(), spoilt)


def test_weights_for_the_head(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    key = "base_model.model.lm_head.lora_A.weight"
    change_weights(spoilt, lambda tensors: tensors.update({key: torch.zeros(8, 48)}))
    assert "lm_head" in refusal(make_engine(), spoilt)


def test_half_a_pair(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    key = "base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight"
    change_weights(spoilt, lambda tensors: tensors.pop(key))
    assert "q_proj has only one of lora_A and lora_B" in refusal(make_engine(), spoilt)


def test_missing_layers(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        for side in "AB":
            del tensors[f"base_model.model.model.layers.2.mlp.up_proj.lora_{side}.weight"]

    change_weights(spoilt, drop)
    assert "lack 1 modules of target_modules, the first is model.layers.2.mlp.up_proj" in refusal(make_engine(), spoilt)


def test_integers_for_weights(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    key = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"
    change_weights(spoilt, lambda tensors: tensors.update({key: torch.zeros(8, 96, dtype=torch.int64)}))
    assert "is I64" in refusal(make_engine(), spoilt)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_one_weight_that_is_no_number(make_engine: Callable[..., Engine], spoilt: Path, value: str) -> None:
    key = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"
    change_weights(spoilt, lambda tensors: tensors[key][3, 5].fill_(float(value)))
    assert "not finite" in refusal(make_engine(), spoilt)


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\xff" * 4096])
def test_weights_that_are_not_safetensors(make_engine: Callable[..., Engine], spoilt: Path, content: bytes) -> None:
    (spoilt / "adapter_model.safetensors").write_bytes(content)
    refusal(make_engine(), spoilt)


def test_truncated_weights(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    path = spoilt / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    refusal(make_engine(), spoilt)


def test_pickles_are_never_read(make_engine: Callable[..., Engine], spoilt: Path) -> None:
    path = spoilt / "adapter_model.safetensors"
    torch.save(load_file(path), spoilt / "adapter_model.bin")
    path.unlink()
    refusal(make_engine(), spoilt)


def test_a_refused_adapter_leaves_the_others_writing(
    make_engine: Callable[..., Engine], good: Path, tmp_path: Path
) -> None:
    engine = make_engine()
    alone = run(engine, request("it")).tokens
    engine.submit(request("it"))
    first = engine.step()
    with pytest.raises(AdapterRejected):
        engine.add_adapter(NAME, tmp_path / "nowhere")
    rest = run(engine).tokens
    assert [*first[0].token_ids, *rest["it"]] == alone["it"]


def test_the_least_recently_used_makes_room(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine(memory_bytes=26 * FRAME, max_rank=16)
    a, b, c = list(voices)[:3]  # of 8, 16 and 2 frames
    for digest in (a, b):
        engine.add_adapter(digest, voices[digest])
    run(engine, request("touch", adapter=a))
    engine.add_adapter(c, voices[c])
    assert {info.digest: info.tier for info in engine.adapters()} == {a: "device", b: "disk", c: "device"}
    assert engine.snapshot().evictions["device"] == 1


def test_an_adapter_in_use_is_never_evicted(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine(memory_bytes=18 * FRAME, max_rank=16)
    a, b = list(voices)[:2]
    engine.add_adapter(a, voices[a])
    engine.submit(request("first", adapter=a))
    engine.step()
    engine.add_adapter(b, voices[b])
    engine.submit(request("second", adapter=b))
    engine.step()
    told = {info.digest: (info.tier, info.requests_running, info.requests_waiting) for info in engine.adapters()}
    assert told == {a: ("device", 1, 0), b: ("disk", 0, 1)}
    assert engine.snapshot().waiting_adapters == {b}
    last: list[Output] = []
    while engine.has_work():
        last = engine.step() or last
    assert last[0].request_id == "second"
    assert last[0].finish_reason == "length"


def test_unloading_waits_for_the_last_request(
    make_engine: Callable[..., Engine], voices: dict[str, Path], tiny_model: LlamaForCausalLM
) -> None:
    engine = make_engine(max_running=1)
    digest = next(iter(voices))
    engine.add_adapter(digest, voices[digest])
    expected = run(engine, request("before", adapter=digest)).tokens["before"]
    engine.submit(request("running", adapter=digest))
    engine.submit(request("waiting", adapter=digest))
    engine.step()
    engine.remove_adapter(digest)
    with pytest.raises(UnknownAdapter):
        engine.submit(request("late", adapter=digest))
    assert [info.digest for info in engine.adapters()] == [digest]
    written = run(engine)
    assert written.tokens["waiting"] == expected
    assert engine.adapters() == []
    with pytest.raises(UnknownAdapter):
        engine.remove_adapter(digest)


def test_adding_again_revokes_an_unload(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine()
    digest = next(iter(voices))
    engine.add_adapter(digest, voices[digest])
    engine.submit(request("running", adapter=digest))
    engine.remove_adapter(digest)
    engine.add_adapter(digest, voices[digest])
    run(engine, request("late", adapter=digest))
    assert engine.has_adapter(digest)
    assert [info.digest for info in engine.adapters()] == [digest]


def test_an_evicted_adapter_whose_files_are_gone_fails_its_own_request_only(
    make_engine: Callable[..., Engine], voices: dict[str, Path], good: Path, tmp_path: Path
) -> None:
    engine = make_engine(memory_bytes=11 * FRAME, max_rank=8)
    kept = next(iter(voices))
    doomed = shutil.copytree(good, tmp_path / "doomed")
    engine.add_adapter(NAME, doomed)
    engine.add_adapter(kept, voices[kept])  # evicts it
    shutil.rmtree(doomed)
    written = run(engine, request("bad", adapter=NAME), request("fine", adapter=kept), request("base"))
    assert written.last["bad"].finish_reason == "error"
    assert NAME in (written.last["bad"].error or "")
    assert len(written.tokens["fine"]) == len(written.tokens["base"]) == 12


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_an_adapter_whose_numbers_overflow_harms_nobody_else(
    make_engine: Callable[..., Engine], spoilt: Path, temperature: float
) -> None:
    engine = make_engine()
    alone = run(engine, request("fine")).tokens["fine"]
    change_weights(spoilt, lambda tensors: tensors.update({key: t.fill_(1e30) for key, t in tensors.items()}))
    engine.add_adapter(NAME, spoilt)
    written = run(engine, request("absurd", adapter=NAME, temperature=temperature), request("fine"))
    assert len(written.tokens["absurd"]) == 12
    assert written.tokens["fine"] == alone
