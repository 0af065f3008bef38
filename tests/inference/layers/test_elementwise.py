"""On a CPU: models whose elementwise parts are fewer of torch's operators, or compiled, compute what they did."""

from __future__ import annotations

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

from inference.cpu_kernels import elementwise as compiled
from inference.layers import elementwise as operators
from inference.layers import fusion
from inference.layers.fusion import Elementwise
from tests.inference.layers.models import (
    CentredRMSNorm,
    GatedRMSNorm,
    elementwise,
    input_gradient,
    logits,
    make,
    off,
)

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there, kernels do this")


@pytest.fixture(params=[operators, compiled], ids=["operators", "compiled"])
def ours(request: pytest.FixtureRequest) -> Elementwise:
    return request.param


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize(
    "config", [LlamaConfig, Qwen3Config, MistralConfig, GemmaConfig, Gemma2Config, Gemma3TextConfig, Olmo2Config]
)
def test_all_of_a_model_is_fused_and_its_logits_stay(
    ours: Elementwise, config: type[PreTrainedConfig], dtype: torch.dtype, tolerance: float
) -> None:
    model = make(config, dtype)
    expected = logits(model)
    fused = fusion.fuse(model, ours)
    assert fused.modules == elementwise(model)
    assert off(logits(model), expected) < tolerance
    fused.undo()
    assert torch.equal(logits(model), expected)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("config", [LlamaConfig, Qwen3Config, GemmaConfig, Gemma3TextConfig])
def test_gradients_of_the_input_are_the_models_own(
    ours: Elementwise, config: type[PreTrainedConfig], dtype: torch.dtype, tolerance: float
) -> None:
    exact = make(config)
    expected = input_gradient(exact)
    model = make(config, dtype)
    own = off(input_gradient(model), expected)
    fusion.fuse(model, ours)
    assert off(input_gradient(model), expected) < max(tolerance, 1.1 * own)


def test_rotary_embedding_of_part_of_a_head(ours: Elementwise) -> None:
    model = make(PhiConfig, partial_rotary_factor=0.5)
    expected = logits(model)
    assert model.model.layers[1].self_attn in fusion.fuse(model, ours).modules
    assert off(logits(model), expected) < 1e-5


def test_another_rotary_embedding_is_left_alone(ours: Elementwise) -> None:
    model = make(CohereConfig)  # turns neighbours, not halves
    expected = logits(model)
    assert {type(each).__name__ for each in fusion.fuse(model, ours).modules} == {"CohereMLP"}
    assert off(logits(model), expected) < 1e-5


@pytest.mark.parametrize("norm", [CentredRMSNorm, GatedRMSNorm])
def test_norms_of_another_formula_are_left_alone(ours: Elementwise, norm: type[modeling_llama.LlamaRMSNorm]) -> None:
    model = make(LlamaConfig)
    model.model.norm = norm(48)
    assert model.model.norm not in fusion.fuse(model, ours).modules


def test_each_step_is_turned_by_its_own_angles(ours: Elementwise) -> None:
    """What is made of one step's sines once for all layers must not be the next step's."""
    q, k = torch.randn(1, 4, 3, 24), torch.randn(1, 2, 3, 24)
    for _ in range(6):
        cos, sin = torch.randn(1, 3, 24), torch.randn(1, 3, 24)
        expected = modeling_llama.apply_rotary_pos_emb(q, k, cos, sin)
        for turned, wanted in zip(ours.rotary(q, k, cos, sin), expected, strict=True):
            assert off(turned, wanted) < 1e-6


def test_norms_read_views_and_rows_of_zeros(ours: Elementwise) -> None:
    torch.manual_seed(0)
    norm = modeling_llama.LlamaRMSNorm(24).requires_grad_(False)
    nn.init.normal_(norm.weight)
    fused = ours.rms_norm(norm.weight, norm.variance_epsilon, plus_one=False, round_first=True)
    heads = torch.randn(1, 7, 9, 24).transpose(1, 2)
    for view in (heads, heads[0, 0], heads[0, 0, 0], heads * 1e-4):
        assert off(fused(view), norm(view)) < 1e-6
    assert not fused(torch.zeros(2, 24)).any()
