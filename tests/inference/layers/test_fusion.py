"""Fused models compute what they did, to the last bit but for rare roundings, and are given back as they were.

On a GPU where there is one, in Triton's interpreter elsewhere.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    CohereConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    PhiConfig,
    PreTrainedConfig,
    Qwen3Config,
)
from transformers.models.llama import modeling_llama

pytest.importorskip("triton")

import triton.language as tl
from triton.runtime import interpreter

from inference.kernels import elementwise as kernels
from inference.layers import fusion
from tests.inference.layers.models import (
    DEVICE,
    CentredRMSNorm,
    GatedRMSNorm,
    elementwise,
    input_gradient,
    logits,
    make,
    off,
)

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered in exp")  # to infinity, as on a GPU


@pytest.fixture(autouse=True)
def bf16_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton's interpreter cuts fp32 off where a GPU rounds it to bf16."""
    convert = interpreter._convert_float

    def rounded(data: Any, source: Any, target: Any, mode: Any) -> Any:
        if (source, target) != (tl.float32, tl.bfloat16):
            return convert(data, source, target, mode)
        return torch.from_numpy(np.ascontiguousarray(data)).bfloat16().view(torch.uint16).numpy()

    monkeypatch.setattr(interpreter, "_convert_float", rounded)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize(
    "config", [LlamaConfig, Qwen3Config, MistralConfig, GemmaConfig, Gemma2Config, Gemma3TextConfig, Olmo2Config]
)
def test_all_of_a_model_is_fused_and_its_logits_stay(
    config: type[PreTrainedConfig], dtype: torch.dtype, tolerance: float
) -> None:
    model = make(config, dtype)
    expected = logits(model)
    assert fusion.fuse(model, kernels).modules == elementwise(model)
    assert off(logits(model), expected) < tolerance


def test_undo_leaves_nothing_behind() -> None:
    model = make(Qwen3Config)
    before = {name: (id(each), dict(vars(each))) for name, each in model.named_modules()}
    weights = {name: (id(each), each.clone()) for name, each in model.state_dict(keep_vars=True).items()}
    expected = logits(model)
    fused = fusion.fuse(model, kernels)
    assert "forward" in vars(model.model.norm)
    logits(model)
    fused.undo()
    assert {name: (id(each), vars(each)) for name, each in model.named_modules()} == before
    after = model.state_dict(keep_vars=True)
    assert all(id(after[name]) == own and torch.equal(after[name], value) for name, (own, value) in weights.items())
    assert torch.equal(logits(model), expected)


def test_other_models_of_the_class_are_not_touched() -> None:
    names, own = dict(vars(modeling_llama)), modeling_llama.LlamaAttention.forward
    other, model = make(LlamaConfig), make(LlamaConfig)
    fusion.fuse(model, kernels)
    assert not any("forward" in vars(each) for each in other.modules())
    assert vars(modeling_llama) == names
    assert modeling_llama.LlamaAttention.forward is own
    assert model.model.layers[0].self_attn.forward.__func__ is model.model.layers[1].self_attn.forward.__func__


@pytest.mark.parametrize("config", [LlamaConfig, Qwen3Config, GemmaConfig, Gemma3TextConfig])
def test_gradients_of_the_input_are_the_models_own(config: type[PreTrainedConfig]) -> None:
    model = make(config)
    expected = input_gradient(model)
    assert fusion.fuse(model, kernels).modules == elementwise(model)
    assert off(input_gradient(model), expected) < 1e-5


def test_rotary_embedding_of_part_of_a_head() -> None:
    model = make(PhiConfig, partial_rotary_factor=0.5)
    expected = logits(model)
    assert model.model.layers[1].self_attn in fusion.fuse(model, kernels).modules
    assert off(logits(model), expected) < 1e-5


def test_another_rotary_embedding_is_left_alone() -> None:
    model = make(CohereConfig)  # turns neighbours, not halves
    expected = logits(model)
    assert {type(each).__name__ for each in fusion.fuse(model, kernels).modules} == {"CohereMLP"}
    assert off(logits(model), expected) < 1e-5


class LaterRoundedRMSNorm(modeling_llama.LlamaRMSNorm):
    """A product more is rounded."""

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden) * 0.7


class ScaledMLP(modeling_llama.LlamaMLP):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.act_fn(self.gate_proj(hidden) * 1.5) * self.up_proj(hidden))


@pytest.mark.parametrize("norm", [CentredRMSNorm, GatedRMSNorm, LaterRoundedRMSNorm])
def test_norms_of_another_formula_are_left_alone(norm: type[modeling_llama.LlamaRMSNorm]) -> None:
    model = make(LlamaConfig, torch.bfloat16)
    model.model.norm = norm(48).to(DEVICE, torch.bfloat16)
    expected = logits(model)
    assert model.model.norm not in fusion.fuse(model, kernels).modules
    assert off(logits(model), expected) < 1e-2


@pytest.mark.parametrize("activation", ["gelu", "relu", "quick_gelu"])
def test_mlps_of_another_activation_are_left_alone(activation: str) -> None:
    model = make(LlamaConfig, torch.bfloat16, hidden_act=activation)
    assert not any(isinstance(each, modeling_llama.LlamaMLP) for each in fusion.fuse(model, kernels).modules)


def test_mlps_of_another_formula_and_foreign_hooks_are_left_alone() -> None:
    model = make(LlamaConfig)
    model.model.layers[0].mlp = ScaledMLP(model.config).to(DEVICE)
    norm = model.model.norm
    norm.forward = hook = functools.partial(type(norm).forward, norm)
    expected = logits(model)
    fused = fusion.fuse(model, kernels)
    assert not {model.model.layers[0].mlp, norm} & set(fused.modules)
    assert off(logits(model), expected) < 1e-5
    fused.undo()
    assert norm.forward is hook


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_read_views_of_joined_matrices(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    gate, _ = torch.randn(1, 7, 2700, device=DEVICE, dtype=dtype).split([1300, 1400], dim=-1)
    _, up = torch.randn(1, 7, 2603, device=DEVICE, dtype=dtype).split([1303, 1300], dim=-1)
    found = kernels.act_mul(gate, up, tanh=False)
    assert found.is_contiguous()
    assert fusion._same(found, nn.functional.silu(gate) * up)

    heads = torch.randn(1, 7, 9, 24, device=DEVICE, dtype=dtype)[:, :, :8].transpose(1, 2)  # (1, heads, tokens, dim)
    q, k = heads[:, :5], heads[:, 5:]
    cos, sin = torch.randn(2, 1, 7, 24, device=DEVICE, dtype=dtype)
    expected = modeling_llama.apply_rotary_pos_emb(q, k, cos, sin)
    for turned, wanted in zip(kernels.rotary(q, k, cos, sin), expected, strict=True):
        assert torch.equal(turned, wanted)
        assert turned.transpose(1, 2).is_contiguous()

    norm = modeling_llama.LlamaRMSNorm(24).to(DEVICE, dtype).requires_grad_(False)
    fused = kernels.rms_norm(norm.weight, norm.variance_epsilon, plus_one=False, round_first=True)
    for view in (q, q.transpose(1, 2), q[0, 0], q[0, 0, 0]):
        assert fusion._same(fused(view), norm(view))
