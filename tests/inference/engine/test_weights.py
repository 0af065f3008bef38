"""Weights laid out anew or in 8 bits compute what the plain ones do, as nearly as each of them claims."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import nn
from transformers import LlamaForCausalLM

from inference.engine import Engine, EngineConfig
from inference.layers import weights
from tests.inference import tiny
from tests.inference.engine.conftest import request, run
from tests.inference.engine.inside import watch_logits

PROMPTS = ["Once upon a time", "x", "The second paragraph is rather longer. " * 4]
PROBE = torch.arange(40, 100)[None]  # (1, 60)


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative error."""
    found, expected = found.detach().float(), expected.detach().float()
    return float((found - expected).norm() / expected.norm())


def layer(bias: bool) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(96, 200, bias=bias).requires_grad_(False)


def int8(plain: nn.Linear) -> weights.Int8Linear:
    return weights.Int8Linear(plain.weight, plain.bias)


def tied_model() -> LlamaForCausalLM:
    config = tiny.model().config
    config.tie_word_embeddings = True
    torch.manual_seed(1)
    return LlamaForCausalLM(config).eval()


def write(model: LlamaForCausalLM, voice: tuple[str, Path] | None, **limits: int) -> list[list[int]]:
    """What the engine writes to each prompt, all together."""
    engine = Engine(model, tiny.tokenizer(), EngineConfig(base_digest=tiny.DIGEST, **limits))
    if voice:
        engine.add_adapter(*voice)
    written = run(engine, *(request(prompt, prompt, voice and voice[0]) for prompt in PROMPTS))
    engine.close()
    return [written.tokens[prompt] for prompt in PROMPTS]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("inputs", "dtype", "tolerance"),
    [
        (torch.float32, torch.float32, 1e-6),
        (torch.bfloat16, torch.bfloat16, 5e-3),
        (torch.float32, torch.bfloat16, 5e-3),
    ],
)
def test_a_packed_layer_computes_what_the_plain_one_does(
    bias: bool, inputs: torch.dtype, dtype: torch.dtype, tolerance: float
) -> None:
    plain = layer(bias).to(inputs)
    packed = weights.PackedLinear(plain.weight, plain.bias, dtype)
    for rows in (1, 7, 130):
        hidden = torch.randn(1, rows, 96).to(inputs)
        assert packed(hidden).dtype == inputs
        assert off(packed(hidden), plain(hidden)) < tolerance


def test_few_rows_are_nearer_to_fp32_and_the_same_in_any_company() -> None:
    """They have a copy of their own, in fp16, for inputs and outputs in fp32."""
    plain = layer(bias=True)
    packed = weights.PackedLinear(plain.weight, plain.bias, torch.bfloat16)
    hidden = torch.randn(1, 9, 96)
    assert off(packed(hidden[:, :8]), plain(hidden[:, :8])) < 5e-4 < off(packed(hidden), plain(hidden))
    assert torch.equal(packed(hidden[:, 3:4]), packed(hidden[:, :8])[:, 3:4])
    assert packed(hidden[:, :0]).shape == (1, 0, 200)


@pytest.mark.parametrize("why", ["no FBGEMM", "weights beyond fp16"])
def test_without_a_copy_for_few_rows_they_are_multiplied_like_many(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = layer(bias=True)
    if why == "no FBGEMM":
        monkeypatch.setattr(weights, "has_fbgemm", lambda: False)
    else:
        plain.weight[5] *= 1e7
    packed = weights.PackedLinear(plain.weight, plain.bias, torch.bfloat16)
    hidden = torch.randn(1, 2, 96)
    assert 5e-4 < off(packed(hidden), plain(hidden)) < 5e-3
    assert packed.few is None


class TestEightBits:
    @pytest.fixture(params=["bf16", "no bf16"], autouse=True)
    def instructions(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        """Many rows are multiplied in another way by a CPU that has none for bf16."""
        if request.param == "bf16" and not weights.multiplies_bf16():
            pytest.skip("this CPU has no instructions for bf16")
        monkeypatch.setattr(weights, "multiplies_bf16", lambda: request.param == "bf16")

    @pytest.mark.parametrize("width", [96, 200])
    @pytest.mark.parametrize("bias", [False, True])
    def test_a_layer_is_off_by_about_a_hundredth(self, bias: bool, width: int) -> None:
        """Rows of 200 are no multiple of what the operator for few of them reads at once."""
        torch.manual_seed(0)
        plain = nn.Linear(width, 72, bias=bias).requires_grad_(False)
        for rows in (1, 4, 5, 130):
            hidden = torch.randn(1, rows, width)
            assert 0 < off(int8(plain)(hidden), plain(hidden)) < 0.01
        assert int8(plain)(hidden[:, :0]).shape == (1, 0, 72)

    def test_few_rows_and_many_are_multiplied_by_the_same_numbers(self) -> None:
        small = int8(layer(bias=True))
        hidden = torch.randn(1, 130, 96) * torch.logspace(-6, 3, 130)[:, None]
        together = small(hidden)
        for first in (0, 64, 126):
            rows = slice(first, first + 4)
            assert off(small(hidden[:, rows]), together[:, rows]) < 5e-3
            assert torch.equal(small(hidden[:, rows])[:, :1], small(hidden[:, rows.start : rows.start + 1]))

    def test_steps_that_end_no_prompt_ask_the_head_for_no_row(self) -> None:
        model = tiny.model()
        weights.quantize(model)
        assert all(map(len, write(model, None, prefill_tokens=16)))

    def test_a_row_of_zeros_stays_one(self) -> None:
        assert not int8(layer(bias=False))(torch.zeros(1, 2, 96)).any()

    def test_rows_need_not_lie_side_by_side(self) -> None:
        small = int8(layer(bias=False))
        columns = torch.randn(96, 5)
        assert torch.equal(small(columns.t()), small(columns.t().contiguous()))

    def test_the_head_is_rounded_and_the_embedding_it_shares_is_not(self) -> None:
        model = tied_model()
        table = model.get_input_embeddings().weight.clone()
        expected = model(PROBE).logits
        weights.quantize(model)
        assert isinstance(model.get_output_embeddings(), weights.Int8Linear)
        assert torch.equal(model.get_input_embeddings().weight, table)
        assert model.dtype == torch.float32
        assert off(model(PROBE).logits, expected) < 0.1

    def test_the_engine_computes_what_peft_computes_on_the_same_weights(self, voices: dict[str, Path]) -> None:
        model = tiny.model()
        weights.quantize(model)
        digest, folder = next(iter(voices.items()))
        engine = Engine(model, tiny.tokenizer(), EngineConfig(base_digest=tiny.DIGEST))
        engine.add_adapter(digest, folder)
        prompt = tuple(range(30, 90))
        found = {}
        for voice in (None, digest):
            with watch_logits(engine) as seen:
                run(engine, request("it", prompt, voice, max_tokens=1))
            found[voice] = torch.cat(seen)
        engine.close()
        with torch.inference_mode():
            base = model(torch.tensor([prompt])).logits[0]
            peft = PeftModel.from_pretrained(model, folder).eval()(torch.tensor([prompt])).logits[0]
        assert off(found[None], base) < 1e-2
        assert off(found[digest], peft) < 1e-2
        assert off(found[digest], base) > 0.1

    def test_only_fp32_is_rounded(self) -> None:
        with pytest.raises(ValueError, match=r"8-bit weights are made from fp32, not torch\.bfloat16"):
            weights.quantize(tiny.model().bfloat16())


@torch.inference_mode()
def greedy(model: Any, prompt: str) -> list[int]:
    ids = torch.tensor([tiny.tokenizer()(prompt).input_ids])
    out = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
    return list(out[0, ids.shape[1] :].tolist())


def test_packed_in_fp32_the_engine_writes_what_it_writes_on_plain_weights(voices: dict[str, Path]) -> None:
    model = tiny.model()
    voice = next(iter(voices.items()))
    expected = [write(model, None), write(model, voice)]
    weights.pack(model)
    assert [write(model, None), write(model, voice)] == expected


@pytest.mark.parametrize("make", [tiny.model, tied_model])
def test_packed_in_bf16_logits_are_nearer_to_fp32_than_those_of_a_bf16_model(
    make: Callable[[], LlamaForCausalLM],
) -> None:
    model, plain = make(), make().bfloat16()
    expected = model(PROBE).logits
    weights.pack(model, torch.bfloat16)
    assert model.dtype == torch.float32
    assert 0 < off(model(PROBE).logits, expected) < off(plain(PROBE).logits, expected)


def test_packed_in_bf16_the_engine_writes_what_peft_writes_on_the_same_weights(voices: dict[str, Path]) -> None:
    model = tiny.model()
    weights.pack(model, torch.bfloat16)
    model.generation_config.eos_token_id = None
    voice = next(iter(voices.items()))
    found = write(model, voice)
    peft = PeftModel.from_pretrained(model, voice[1]).eval()
    assert found == [greedy(peft, prompt) for prompt in PROMPTS]


def test_what_a_step_reads_is_counted_all_the_same() -> None:
    """The whole model in either layout, but for a table of embeddings that the head does not share."""
    model = tiny.model()
    engine = Engine(model, None, EngineConfig(base_digest=tiny.DIGEST))
    expected = engine.bytes_read()
    engine.close()
    weights.pack(model)
    engine = Engine(model, None, EngineConfig(base_digest=tiny.DIGEST))
    assert engine.bytes_read() == expected
    engine.close()


def test_in_bf16_the_copies_for_many_and_for_few_rows_take_what_fp32_took() -> None:
    model = tiny.model()
    expected = weights.held_bytes(model)
    weights.pack(model, torch.bfloat16)
    assert weights.held_bytes(model) == expected


def test_weights_of_8_bits_are_counted_with_their_copy_for_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {}
    for has_bf16 in (True, False):
        if has_bf16 and not weights.multiplies_bf16():
            pytest.skip("this CPU has no instructions for bf16")
        monkeypatch.setattr(weights, "multiplies_bf16", lambda has_bf16=has_bf16: has_bf16)
        model = tiny.model()
        rounded = sum(each.weight.numel() for each in model.modules() if isinstance(each, nn.Linear))
        weights.quantize(model)
        held[has_bf16] = weights.held_bytes(model)
    assert held[True] - held[False] == 2 * rounded


def test_models_on_other_devices_are_left_alone() -> None:
    with pytest.raises(ValueError, match="for the CPU only, not for meta"):
        weights.pack(tiny.model().to("meta"))
