"""Several voices in training on one base model: they join and leave, and learn what they would learn alone."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from adapters.training import run as running
from adapters.training.dataset import build
from adapters.training.events import Assessing, Checkpoint, Dropped, Evaluation, Prepared, Recited, Resumed, Step
from adapters.training.stopping import Stopped, never
from adapters.training.trainer import Trainer, train
from adapters.training.training import Trained, Training
from tests.adapters.training.conftest import make_posts

FILE = "adapter_model.safetensors"


@pytest.fixture
def trainer(tiny, tokenizer):
    made = Trainer(tiny, tokenizer)
    yield made
    made.close()


def training(tokenizer, recipe, out, seed=0, **given):
    events = []
    data = build(make_posts(8, seed=seed), tokenizer, recipe)
    asked = {"should_stop": never, "base_name": "tiny", **given}
    return Training(data=data, recipe=recipe, on_event=events.append, out=out, **asked), events


def until_all_ended(trainer):
    ended = []
    while trainer.busy:
        ended += trainer.step()
    return ended


def alone(model, tokenizer, asked, out):
    return train(model, tokenizer, asked.data, asked.recipe, lambda _: None, never, out, base_name="tiny")


def fields(asked):
    """As `train` takes them."""
    names = ("data", "recipe", "on_event", "should_stop", "out", "base_name", "checkpoint")
    return {name: getattr(asked, name) for name in names}


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def evaluated(events):
    return sorted({event.step for event in of(Evaluation, events)})


def test_voices_that_join_one_after_another_are_what_they_would_be_alone(tiny, tokenizer, recipe, tmp_path, trainer):
    recipes = [recipe, replace(recipe, rank=8, dropout=0.2, windows_a_step=3), replace(recipe, epochs=1, seed=9)]
    asked = [training(tokenizer, each, tmp_path / str(n), seed=n)[0] for n, each in enumerate(recipes)]
    ended = []
    for each in asked:
        trainer.add(each)
        for _ in range(4):
            ended += trainer.step()
    ended += until_all_ended(trainer)
    trainer.close()

    assert {id(end.training) for end in ended} == set(map(id, asked))
    for number, each in enumerate(asked):
        own = alone(tiny, tokenizer, each, tmp_path / f"alone-{number}")
        (together,) = (end.result for end in ended if end.training is each)
        assert isinstance(together, Trained)
        assert together.bits_per_byte == pytest.approx(own.bits_per_byte, rel=1e-4)
        weights, expected = load_file(together.folder / FILE), load_file(own.folder / FILE)
        for name, matrix in expected.items():
            torch.testing.assert_close(weights[name], matrix, rtol=1e-2, atol=1e-4)


def test_whoever_stops_leaves_and_the_other_is_not_concerned(tiny, tokenizer, recipe, tmp_path, trainer):
    stop = []
    one, _ = training(tokenizer, recipe, tmp_path / "one", should_stop=lambda: bool(stop))
    other, events = training(tokenizer, recipe, tmp_path / "other", seed=1)
    trainer.add(one)
    trainer.add(other)
    while len(of(Step, events)) < 3:
        assert not trainer.step()
    stop.append(True)
    (first,) = trainer.step()
    (second,) = until_all_ended(trainer)

    assert first.training is one
    assert isinstance(first.result, Stopped)
    assert first.result.step >= 3
    assert not (tmp_path / "one").exists()
    assert isinstance(second.result, Trained)


def test_whoever_fails_leaves_with_the_reason_and_the_other_is_not_concerned(tokenizer, recipe, tmp_path, trainer):
    def fail(event):
        if isinstance(event, Step) and event.step == 2:
            raise OSError("the disk is full")

    one, _ = training(tokenizer, recipe, tmp_path / "one")
    other, _ = training(tokenizer, recipe, tmp_path / "other", seed=1)
    trainer.add(replace(one, on_event=fail))
    trainer.add(other)
    results = [end.result for end in until_all_ended(trainer)]

    assert str(results[0]) == "the disk is full"
    assert isinstance(results[1], Trained)


@pytest.mark.parametrize("at", [0, 1, 4, 7])
def test_resumed_is_what_it_is_uninterrupted(tiny, tokenizer, recipe, tmp_path, at):
    recipe = replace(recipe, dropout=0.1, rate_factors=(1.0, 0.3))
    asked, events = training(tokenizer, recipe, tmp_path / "resumed", checkpoint=tmp_path / "checkpoint")
    given = fields(asked)
    stop = {"should_stop": lambda: len(of(Step, events)) >= at and bool(events)}
    with pytest.raises(Stopped):
        train(tiny, tokenizer, **given | stop)
    before = list(events)
    resumed = train(tiny, tokenizer, **given)
    uninterrupted = alone(tiny, tokenizer, asked, tmp_path / "alone")

    after = events[len(before) :]
    if at:
        assert [type(event) for event in after[:2]] == [Prepared, Resumed]
        assert after[1].step == of(Checkpoint, before)[-1].step == len(of(Step, before))
        assert of(Step, after)[0].step == after[1].step + 1
    assert resumed.bits_per_byte == uninterrupted.bits_per_byte
    assert resumed.steps == uninterrupted.steps
    assert (resumed.folder / FILE).read_bytes() == (uninterrupted.folder / FILE).read_bytes()


def test_a_checkpoint_comes_with_every_measurement_and_every_minute(tiny, tokenizer, recipe, tmp_path, monkeypatch):
    asked, events = training(tokenizer, recipe, tmp_path / "out", checkpoint=tmp_path / "checkpoint")
    given = fields(asked)
    train(tiny, tokenizer, **given)
    at_measurements = [event.step for event in of(Checkpoint, events)]
    assert at_measurements == [event.step for event in of(Evaluation, events)]

    monkeypatch.setattr(running, "CHECKPOINT_SECONDS", 0)
    events.clear()
    train(tiny, tokenizer, **given | {"checkpoint": tmp_path / "another"})
    assert [event.step for event in of(Checkpoint, events)] == [event.step for event in of(Step, events)]


def test_a_checkpoint_of_other_writing_or_another_recipe_is_refused_by_name(tiny, tokenizer, recipe, tmp_path):
    asked, _ = training(tokenizer, recipe, tmp_path / "out", checkpoint=tmp_path / "checkpoint")
    given = fields(asked)
    train(tiny, tokenizer, **given)

    with pytest.raises(ValueError, match="another training, recipe changed"):
        train(tiny, tokenizer, **given | {"recipe": replace(recipe, rank=8)})
    with pytest.raises(ValueError, match="another training, data changed"):
        train(tiny, tokenizer, **given | {"data": build(make_posts(9), tokenizer, recipe)})


def test_several_learning_rates_are_tried_and_the_worst_leave_early(tiny, tokenizer, recipe, tmp_path):
    recipe = replace(recipe, rate_factors=(0.01, 1.0, 0.1), evaluations_an_epoch=4)
    asked, events = training(tokenizer, recipe, tmp_path / "out")
    given = fields(asked)
    trained = train(tiny, tokenizer, **given)

    assert [event.learning_rate for event in of(Dropped, events)] == pytest.approx([5e-5, 5e-4])
    assert trained.learning_rate == 5e-3
    first = [event for event in of(Evaluation, events) if event.step == of(Evaluation, events)[0].step]
    assert sorted(event.learning_rate for event in first) == pytest.approx([5e-5, 5e-4, 5e-3])
    alone_recipe = replace(recipe, rate_factors=(1.0,))
    own = train(tiny, tokenizer, **given | {"recipe": alone_recipe, "out": tmp_path / "own"})
    assert trained.bits_per_byte == pytest.approx(own.bits_per_byte, rel=1e-4)


def test_a_rate_at_which_nothing_is_a_number_only_costs_that_rate(tiny, tokenizer, recipe, tmp_path):
    recipe = replace(recipe, learning_rate=1.0, rate_factors=(0.01, 100.0), epochs=1)
    asked, events = training(tokenizer, recipe, tmp_path / "out")
    given = fields(asked)
    trained = train(tiny, tokenizer, **given)

    assert trained.learning_rate == 0.01
    assert of(Dropped, events)[0].learning_rate == 100.0


def test_a_voice_that_recites_its_posts_learns_no_more(tiny, tokenizer, recipe, tmp_path, monkeypatch):
    # Asked from the second epoch on, and the base model when it matters: the bound is twice what it recites.
    found = iter([11, 19, 10, 20])
    monkeypatch.setattr(running, "STOP_AT", 12)
    monkeypatch.setattr(running, "recited", lambda *_, **__: next(found))
    asked, events = training(tokenizer, replace(recipe, epochs=4), tmp_path / "out")
    trained = train(tiny, tokenizer, **fields(asked))

    (told,) = of(Recited, events)
    assert (told.words, told.base_words) == (20, 10)
    assert trained.steps == told.step == of(Step, events)[-1].step < events[0].steps


def test_a_rate_that_recites_stands_by_while_the_others_go_on(tiny, tokenizer, recipe, tmp_path, monkeypatch):
    seen = iter([99, 0, 0, 0, 0, 0, 0, 0])
    monkeypatch.setattr(running, "STOP_AT", 12)
    monkeypatch.setattr(running, "recited", lambda model, *_, **__: 0 if model is None else next(seen))
    monkeypatch.setattr(running, "TRIAL_MEASUREMENTS", 99)
    recipe = replace(recipe, epochs=4, rate_factors=(1.0, 0.5))
    asked, events = training(tokenizer, recipe, tmp_path / "out")
    train(tiny, tokenizer, **fields(asked))

    (told,) = of(Recited, events)
    rates = [{e.learning_rate for e in of(Evaluation, events) if e.step == step} for step in evaluated(events)]
    first_after = evaluated(events).index(told.step) + 1
    assert all(len(found) == 2 for found in rates[:first_after])
    assert all(len(found) == 1 for found in rates[first_after:])
    assert of(Step, events)[-1].step > told.step


def test_on_a_gpu_several_rates_are_tried_unless_somebody_said_which(recipe):
    assert recipe.factors_on("cpu") == (1.0,)
    assert recipe.factors_on("cuda") == (0.5, 1.0, 2.0)
    assert replace(recipe, rate_factors=(3.0,)).factors_on("cuda") == (3.0,)


def test_a_finished_voice_is_compared_with_the_base_model_and_its_author(tiny, tokenizer, recipe, tmp_path):
    asked, events = training(tokenizer, replace(recipe, epochs=1), tmp_path / "out")
    asked = replace(asked, texts=2, sample_briefs=["Frost"])
    trainer = Trainer(tiny, tokenizer)
    trainer.add(asked)
    (ended,) = until_all_ended(trainer)
    trainer.close()
    found = ended.result.assessment

    assert of(Assessing, events) == [Assessing(texts=2)]
    assert all(event.eta_seconds > event.comparing_seconds > 0 for event in of(Step, events))
    assert (found.base_bits, found.voice_bits) == (ended.result.base_bits_per_byte, ended.result.bits_per_byte)
    assert found.voice.texts == 2
    assert found.examples_bits is not None
    assert found.other is None
    assert "other author" in found.missing["other"]


def test_stopped_while_the_base_model_writes_it_goes_on_with_what_was_measured(tiny, tokenizer, recipe, tmp_path):
    asked, events = training(tokenizer, recipe, tmp_path / "out", checkpoint=tmp_path / "checkpoint")
    given = {**fields(asked), "sample_briefs": ["Frost"]}
    with pytest.raises(Stopped):
        train(tiny, tokenizer, **given | {"should_stop": lambda: len(events) >= 2})
    train(tiny, tokenizer, **given)

    assert [type(event).__name__ for event in events[:5]] == [
        "Prepared",
        "Baseline",
        "Checkpoint",
        "Prepared",
        "Resumed",
    ]
