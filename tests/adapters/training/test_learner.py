"""Steps of the optimizer: what PEFT and AdamW would do, for several adapters at once."""

from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict

from adapters.training import learner as learning
from adapters.training import memory
from adapters.training.layout import TARGETS, groups_of
from adapters.training.learner import Learner, Lesson
from adapters.training.recipe import Recipe
from tests.adapters.training.conftest import make_model

ROW = list(range(20, 60))
RATE = 1e-2


def rows(*lengths: int, seed: int = 0):
    chance = torch.Generator().manual_seed(seed)
    drawn = [torch.randint(10, 390, (length,), generator=chance).tolist() for length in lengths]
    return [(ids, ids) for ids in drawn]


def lesson(adapter, some, step=1, rate=RATE):
    return Lesson(adapter=adapter, rows=some, learning_rate=rate, step=step)


def taught(recipes, some, steps=3, dtype=torch.float32):
    """Adapters that learn their rows together, and the losses of each step."""
    learner = Learner(make_model().to(dtype))
    adapters = [learner.new_adapter(recipe) for recipe in recipes]
    losses = [
        learner.step([lesson(*pair, step) for pair in zip(adapters, some, strict=True)]) for step in range(1, steps + 1)
    ]
    learner.close()
    return adapters, losses


def peft_taught(recipe, weights, some, steps):
    """What PEFT, torch's AdamW and its clipping make of the same first weights and rows."""
    model = get_peft_model(
        make_model(), LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules=list(TARGETS))
    )
    model.load_state_dict({name.replace(".weight", ".default.weight"): w for name, w in weights.items()}, strict=False)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    losses = []
    for _ in range(steps):
        count = sum(len(ids) - 1 for ids, _ in some)
        total = 0.0
        for ids, _ in some:
            loss = model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss * (len(ids) - 1) / count
            loss.backward()
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total)
    return get_peft_model_state_dict(model, save_embedding_layers=False), losses


def test_it_learns_what_peft_learns():
    recipe = Recipe(rank=8, dropout=0.0)
    some = rows(40, 25, 33)
    first = Learner(make_model()).new_adapter(recipe).weights()
    (adapter,), losses = taught([recipe], [some], steps=5)
    expected, expected_losses = peft_taught(recipe, first, some, steps=5)

    assert [loss for (loss,) in losses] == pytest.approx(expected_losses, rel=1e-5)
    ours = adapter.weights()
    assert ours.keys() == expected.keys()
    for name, matrix in expected.items():
        torch.testing.assert_close(ours[name], matrix, rtol=1e-3, atol=2e-5)


RECIPES = [
    Recipe(rank=4, dropout=0.0, seed=1),
    Recipe(rank=16, alpha=16, dropout=0.1, seed=2),
    Recipe(rank=8, dropout=0.3, seed=3),
]
SOME = [rows(40, 40, seed=1), rows(17, 60, 33, seed=2), rows(25, seed=3)]


@pytest.mark.parametrize("budget", [64, 256, 100_000])
def test_together_is_what_it_is_alone_whatever_ranks_and_lengths(monkeypatch, budget):
    monkeypatch.setattr(memory, "TOKENS_AT_ONCE_CPU", budget)
    together, losses = taught(RECIPES, SOME)

    for index, (recipe, some) in enumerate(zip(RECIPES, SOME, strict=True)):
        (alone,), own = taught([recipe], [some])
        assert [step[index] for step in losses] == pytest.approx([loss for (loss,) in own], rel=1e-5)
        for name, matrix in alone.weights().items():
            torch.testing.assert_close(together[index].weights()[name], matrix, rtol=1e-3, atol=2e-5)


def test_equal_numbers_of_rows_go_through_their_adapters_in_equal_parts():
    recipes = [Recipe(rank=4, dropout=0.0, seed=seed) for seed in (1, 2)]
    some = [rows(30, 30, seed=seed) for seed in (1, 2)]
    together, _ = taught(recipes, some)
    (alone,), _ = taught(recipes[1:], some[1:])

    torch.testing.assert_close(together[1].flat, alone.flat, rtol=1e-3, atol=2e-5)


def test_an_adapter_may_leave_and_another_come_in_its_place():
    learner = Learner(make_model())
    first, second, third = (learner.new_adapter(recipe) for recipe in RECIPES)
    learner.step([lesson(first, SOME[0]), lesson(second, SOME[1])])
    for step in (1, 2, 3):
        learner.step([lesson(third, SOME[2], step), lesson(second, SOME[1], step + 1)])
    (alone,), _ = taught(RECIPES[2:], SOME[2:])

    torch.testing.assert_close(third.flat, alone.flat, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_step_learned_is_there_in_the_next(dtype):
    (adapter,), losses = taught([Recipe(rank=8, dropout=0.0, seed=4)], [[(ROW, ROW)]], steps=12, dtype=dtype)

    assert losses[-1][0] < losses[0][0] - 0.05
    assert adapter.flat.dtype == torch.float32


def test_numbers_off_the_diagonal_stay_zero():
    (adapter,), _ = taught([Recipe(rank=8, dropout=0.0)], [SOME[1]])
    inside = sum(matrix.abs().sum() for _, _, matrix in adapter.layout.matrices(adapter.flat.detach()))

    assert adapter.flat.detach().abs().sum() == pytest.approx(float(inside), rel=1e-5)


def test_an_adapter_that_diverges_stays_what_it_was_and_the_others_learn():
    learner = Learner(make_model())
    good, bad = (learner.new_adapter(replace(RECIPES[0], seed=seed)) for seed in (1, 2))
    with torch.no_grad():
        bad.layout.a(bad.flat, 0).fill_(torch.inf)
    before = bad.flat.detach().clone()
    losses = learner.step([lesson(good, SOME[0]), lesson(bad, SOME[0])])
    (alone,), _ = taught(RECIPES[:1], SOME[:1], steps=1)

    assert losses[1] != losses[1]
    assert torch.equal(bad.flat, before)
    torch.testing.assert_close(good.flat, alone.flat, rtol=1e-3, atol=2e-5)


def test_running_out_of_memory_halves_the_passes_and_learns_the_same(monkeypatch):
    learner = Learner(make_model())
    adapter = learner.new_adapter(RECIPES[0])
    own = learning.negative_log_likelihood
    sizes = []

    def narrow(model, batch):
        sizes.append(batch.ids.numel())
        losses = own(model, batch)
        if batch.ids.numel() > 50:
            losses.backward(torch.ones_like(losses))  # what the failed pass has gathered is not learned
            raise torch.OutOfMemoryError("no room")
        return losses

    monkeypatch.setattr(learning, "negative_log_likelihood", narrow)
    monkeypatch.setattr(learner.memory, "tokens_at_once", 200)
    for step in (1, 2, 3):
        learner.step([lesson(adapter, SOME[0], step)])
    monkeypatch.undo()
    (alone,), _ = taught(RECIPES[:1], SOME[:1])

    assert sizes == [80, 80, *[40] * 6]
    torch.testing.assert_close(adapter.flat, alone.flat, rtol=1e-3, atol=2e-5)


def test_what_never_fits_is_told_after_layers_were_computed_twice(monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no room")

    learner = Learner(make_model())
    monkeypatch.setattr(learning, "negative_log_likelihood", full)
    with pytest.raises(torch.OutOfMemoryError):
        learner.step([lesson(learner.new_adapter(RECIPES[0]), SOME[0])])

    assert learner.memory.checkpointing
    learner.close()
    assert not any("forward" in vars(module) for module in learner.model.modules())


def test_layers_that_are_computed_twice_learn_the_same():
    learner = Learner(make_model())
    adapter = learner.new_adapter(RECIPES[1])
    while not learner.memory.checkpointing:
        learner.memory.halve(60)
    for step in (1, 2, 3):
        learner.step([lesson(adapter, SOME[1], step)])
    (alone,), _ = taught(RECIPES[1:2], SOME[1:2])

    torch.testing.assert_close(adapter.flat, alone.flat, rtol=1e-3, atol=2e-5)


def test_a_model_without_the_layers_of_a_voice_is_refused_by_name():
    with pytest.raises(ValueError, match="Linear has none of the layers q_proj"):
        groups_of(torch.nn.Linear(2, 2))
