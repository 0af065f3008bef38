"""What only a GPU runs computes what a CPU does: on a GPU where there is one, in Triton's interpreter elsewhere."""

import contextlib
import copy

import pytest
import torch

from adapters.training.learner import Learner, Lesson
from adapters.training.loss import _cross_entropy
from adapters.training.recipe import Recipe
from bench.training import into_four_bits
from tests.adapters.training.conftest import make_model

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("words", [97, 8192, 20_000])  # less than a block, one, and some with a rest
def test_cross_entropy_in_triton_is_that_of_torch(words, dtype):
    pytest.importorskip("triton")
    from adapters.training.kernels import cross_entropy

    torch.manual_seed(0)
    logits = (torch.randn(5, words) * 6).to(dtype)
    logits[1, 3] = 80.0  # alone among the others
    labels, weights = torch.tensor([0, 3, words - 1, 5, 7]), torch.tensor([0.5, 1.0, 2.0, 0.0, 1.0])
    expected, slopes = _cross_entropy(logits.clone(), labels, weights, True)

    own = logits.clone().to(DEVICE)
    losses, found = cross_entropy(own, labels.to(DEVICE), weights.to(DEVICE), True)
    torch.testing.assert_close(losses.cpu(), expected, rtol=1e-5, atol=1e-5)
    assert found is own, "no second tensor of this size"
    torch.testing.assert_close(found.cpu().float(), slopes, rtol=1e-2 if dtype == torch.bfloat16 else 1e-4, atol=1e-6)

    own = logits.clone().to(DEVICE)
    losses, found = cross_entropy(own, labels.to(DEVICE), weights.to(DEVICE), False)
    torch.testing.assert_close(losses.cpu(), expected, rtol=1e-5, atol=1e-5)
    assert found is None
    assert torch.equal(own.cpu(), logits)


@pytest.fixture
def four_bits():
    """bitsandbytes can do on a CPU all that we ask of it, but write into a tensor that is there."""
    pytest.importorskip("bitsandbytes")
    if DEVICE.type == "cuda":
        return
    with contextlib.suppress(RuntimeError):  # a later release may have it

        @torch.library.register_kernel("bitsandbytes::dequantize_4bit.out", "cpu")
        def _(a, absmax, blocksize, quant_type, shape, dtype, out):
            out.copy_(torch.ops.bitsandbytes.dequantize_4bit(a, absmax, blocksize, quant_type, shape, dtype))


def wide(model):
    """A copy whose weights of 4 bits are written out as what they stand for."""
    from bitsandbytes.functional import dequantize_4bit

    for layer in model.model.layers:
        for parent in (layer.self_attn, layer.mlp):
            for name, linear in list(parent.named_children()):
                if not hasattr(linear, "in_features"):
                    continue
                weight = dequantize_4bit(linear.weight.data, linear.weight.quant_state)
                plain = torch.nn.Linear(linear.in_features, linear.out_features, bias=False)
                plain.weight = torch.nn.Parameter(weight)
                setattr(parent, name, plain)
    return model


@pytest.mark.usefixtures("four_bits")
def test_on_a_base_of_4_bits_a_voice_learns_what_it_does_on_the_numbers_these_stand_for():
    model = make_model().to(DEVICE)
    into_four_bits(model)
    assert model.model.layers[0].mlp.down_proj.weight.dtype == torch.uint8
    rows = [(ids, ids) for ids in (list(range(20, 60)), list(range(90, 121)))]
    learned = []
    for base in (model, wide(copy.deepcopy(model))):
        learner = Learner(base)
        adapter = learner.new_adapter(Recipe(rank=8, dropout=0.0))
        losses = [
            learner.step([Lesson(adapter=adapter, rows=rows, learning_rate=1e-2, step=step)]) for step in range(1, 4)
        ]
        learned.append((losses, adapter.weights()))
        learner.close()
    (losses, weights), (expected_losses, expected) = learned
    assert losses[-1][0] < losses[0][0]
    torch.testing.assert_close(torch.tensor(losses), torch.tensor(expected_losses), rtol=1e-5, atol=0)
    for name, matrix in expected.items():
        torch.testing.assert_close(weights[name], matrix, rtol=1e-3, atol=2e-5)
