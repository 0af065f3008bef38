"""Steps of the optimizer, in the precision of the base."""

import pytest
import torch

from adapters.training import lora
from adapters.training.learner import Learner, precision
from adapters.training.recipe import Recipe
from tests.adapters.training.conftest import make_model

ROW = list(range(20, 60))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_step_learned_is_there_in_the_next(dtype):
    model = make_model().to(dtype)
    with lora.attached(model, Recipe(rank=8, dropout=0.0)) as wrapped, precision(model):
        learner = Learner(model)
        wrapped.train()
        losses = [learner.step([(ROW, ROW)], 3e-2) for _ in range(8)]

    assert losses[-1] < losses[0] - 0.05


def test_on_a_base_in_bf16_the_weights_that_learn_stay_fp32():
    model = make_model().to(torch.bfloat16)
    with lora.attached(model, Recipe(rank=8, dropout=0.0)), precision(model):
        learner = Learner(model)
        learner.step([(ROW, ROW)], 1e-3)

        assert {parameter.dtype for parameter in learner.parameters} == {torch.float32}
