"""Training on a tiny model: mechanics, files, and a base model that nothing happens to."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from adapters.training import candidate, learner, memory
from adapters.training import run as running
from adapters.training.dataset import build
from adapters.training.evaluation import bits_per_byte
from adapters.training.events import Assessing, Baseline, Evaluation, Prepared, Sample, Step
from adapters.training.layout import TARGETS
from adapters.training.learner import Diverged
from adapters.training.stopping import Stopped, never
from adapters.training.trainer import train
from tests.adapters.training.conftest import make_model, make_posts


@pytest.fixture
def data(tokenizer, recipe):
    return build(make_posts(8), tokenizer, recipe)


def run(model, tokenizer, data, recipe, out: Path, should_stop=never, **options):
    events = []
    trained = train(model, tokenizer, data, recipe, events.append, should_stop, out, base_name="tiny", **options)
    return trained, events


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_a_voice_gets_closer_to_posts_it_has_not_read(tiny, tokenizer, data, recipe, tmp_path):
    trained, events = run(tiny, tokenizer, data, recipe, tmp_path)

    assert trained.bits_per_byte < 0.98 * trained.base_bits_per_byte
    assert of(Step, events)[-1].loss < of(Step, events)[0].loss


def test_events_come_in_the_order_of_the_work(tiny, tokenizer, data, recipe, tmp_path):
    _, events = run(tiny, tokenizer, data, recipe, tmp_path)

    assert [type(event) for event in events[:3]] == [Prepared, Baseline, Step]
    steps = of(Step, events)
    assert [event.step for event in steps] == list(range(1, events[0].steps + 1))
    assert len(of(Evaluation, events)) == 4
    assert isinstance(events[-2], Evaluation)
    assert events[-2].step == events[0].steps
    assert isinstance(events[-1], Assessing)


def test_the_estimate_ends_with_the_last_measurement(tiny, tokenizer, data, recipe, tmp_path):
    _, events = run(tiny, tokenizer, data, recipe, tmp_path)
    estimates = [event.eta_seconds for event in of(Step, events)]

    assert all(seconds > 0 for seconds in estimates)
    assert estimates[-1] < estimates[0]


def test_peft_loads_the_result_and_measures_the_same(tiny, tokenizer, data, recipe, tmp_path):
    trained, _ = run(tiny, tokenizer, data, recipe, tmp_path)
    theirs = PeftModel.from_pretrained(make_model(), tmp_path)

    assert bits_per_byte(theirs, tokenizer, data.held_out) == pytest.approx(trained.bits_per_byte, rel=1e-6)


def test_the_files_are_plain_lora_on_every_linear_layer(tiny, tokenizer, data, recipe, tmp_path):
    trained, _ = run(tiny, tokenizer, data, recipe, tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    weights = load_file(tmp_path / "adapter_model.safetensors")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert config["target_modules"] == sorted(TARGETS)
    assert (config["base_model_name_or_path"], config["r"], config["bias"]) == ("tiny", 4, "none")
    assert len(weights) == 2 * 7 * 2  # A and B, seven modules, two layers
    assert all(name.endswith(("lora_A.weight", "lora_B.weight")) for name in weights)
    assert trained.bytes == sum(path.stat().st_size for path in tmp_path.iterdir())


def test_the_base_model_is_exactly_what_it_was(tiny, tokenizer, data, recipe, tmp_path):
    ids = torch.arange(10, 60)[None]
    before = tiny(input_ids=ids).logits
    modules = [(name, type(module)) for name, module in tiny.named_modules()]
    flags = [parameter.requires_grad for parameter in tiny.parameters()]
    run(tiny, tokenizer, data, recipe, tmp_path)

    assert torch.equal(tiny(input_ids=ids).logits, before)
    assert [(name, type(module)) for name, module in tiny.named_modules()] == modules
    assert [parameter.requires_grad for parameter in tiny.parameters()] == flags
    assert all(parameter.grad is None for parameter in tiny.parameters())
    assert not tiny.training
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in tiny.model.layers)


def test_the_same_input_gives_the_same_files_whatever_was_trained_before(tiny, tokenizer, data, recipe, tmp_path):
    recipe = replace(recipe, dropout=0.1)
    run(tiny, tokenizer, data, recipe, tmp_path / "first")
    run(tiny, tokenizer, build(make_posts(5, seed=5), tokenizer, recipe), recipe, tmp_path / "another")
    run(tiny, tokenizer, data, recipe, tmp_path / "second")

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_another_seed_gives_other_weights(tiny, tokenizer, data, recipe, tmp_path):
    run(tiny, tokenizer, data, recipe, tmp_path / "first")
    run(tiny, tokenizer, data, replace(recipe, seed=4), tmp_path / "second")

    name = "adapter_model.safetensors"
    assert (tmp_path / "first" / name).read_bytes() != (tmp_path / "second" / name).read_bytes()


def test_training_leaves_the_callers_random_numbers_alone(tiny, tokenizer, data, recipe, tmp_path):
    torch.manual_seed(1)
    run(tiny, tokenizer, data, recipe, tmp_path)
    after = torch.rand(3)
    torch.manual_seed(1)

    assert torch.equal(after, torch.rand(3))


def test_the_best_weights_are_kept_and_training_ends_early(tiny, tokenizer, data, recipe, tmp_path, monkeypatch):
    figures = iter([9.0, 5.0, 4.0, 6.0, 7.0, 1.0])  # the base model's first
    kept = []
    copy = candidate.Adapter.weights
    monkeypatch.setattr(running, "bits_per_byte", lambda *_: next(figures))
    monkeypatch.setattr(candidate.Adapter, "weights", lambda adapter: kept.append(copy(adapter)) or kept[-1])
    trained, events = run(tiny, tokenizer, data, replace(recipe, epochs=5, patience=2), tmp_path)

    assert (trained.bits_per_byte, trained.base_bits_per_byte) == (4.0, 9.0)
    assert [event.best for event in of(Evaluation, events)] == [True, True, False, False]
    assert trained.step == of(Evaluation, events)[1].step < trained.steps < events[0].steps
    saved = load_file(tmp_path / "adapter_model.safetensors")
    assert all(torch.equal(saved[name], tensor) for name, tensor in kept[-1].items())


def test_a_voice_that_does_not_beat_the_base_is_saved_with_both_figures(
    tiny, tokenizer, data, recipe, tmp_path, monkeypatch
):
    figures = iter([2.0, 3.0, 4.0, 5.0, 6.0])
    monkeypatch.setattr(running, "bits_per_byte", lambda *_: next(figures))
    trained, _ = run(tiny, tokenizer, data, recipe, tmp_path)

    assert (trained.bits_per_byte, trained.base_bits_per_byte) == (3.0, 2.0)
    assert (tmp_path / "adapter_model.safetensors").exists()


@pytest.mark.parametrize("after", [0, 1, 2, 5, 40, 75])
def test_it_stops_wherever_it_is_and_writes_nothing(tiny, tokenizer, data, recipe, tmp_path, after):
    events = []
    asked = iter(range(10_000))
    logits = tiny(input_ids=torch.arange(10, 60)[None]).logits
    with pytest.raises(Stopped) as stopped:
        train(tiny, tokenizer, data, recipe, events.append, lambda: next(asked) >= after, tmp_path / "out")

    assert stopped.value.step == len(of(Step, events))
    assert not (tmp_path / "out").exists()
    assert torch.equal(tiny(input_ids=torch.arange(10, 60)[None]).logits, logits)


def test_small_passes_learn_what_one_large_pass_learns(tiny, tokenizer, data, recipe, tmp_path, monkeypatch):
    recipe = replace(recipe, windows_a_step=6, epochs=1)
    run(tiny, tokenizer, data, recipe, tmp_path / "small")
    monkeypatch.setattr(memory, "TOKENS_AT_ONCE_CPU", 100_000)
    run(tiny, tokenizer, data, recipe, tmp_path / "large")

    small, large = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("small", "large"))
    for name, tensor in small.items():
        torch.testing.assert_close(tensor, large[name], rtol=1e-3, atol=1e-5)


def test_numbers_without_bound_end_training(tiny, tokenizer, data, recipe, tmp_path, monkeypatch):
    own = learner.negative_log_likelihood
    monkeypatch.setattr(learner, "negative_log_likelihood", lambda *given: own(*given) * math.nan)

    with pytest.raises(Diverged, match="nan"):
        run(tiny, tokenizer, data, recipe, tmp_path)


def test_a_voice_that_cannot_be_measured_is_not_saved(tiny, tokenizer, data, recipe, tmp_path, monkeypatch):
    figures = iter([2.0, math.nan])
    monkeypatch.setattr(running, "bits_per_byte", lambda *_: next(figures))

    with pytest.raises(Diverged, match="bits per byte"):
        run(tiny, tokenizer, data, recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_samples_are_written_at_every_measurement_and_change_nothing(tiny, tokenizer, data, recipe, tmp_path):
    recipe = replace(recipe, dropout=0.1)
    _, events = run(tiny, tokenizer, data, recipe, tmp_path / "with", sample_briefs=["Frost"])
    run(tiny, tokenizer, data, recipe, tmp_path / "without")

    assert [event.step for event in of(Sample, events)] == [0, *(event.step for event in of(Evaluation, events))]
    assert {event.brief for event in of(Sample, events)} == {"Frost"}
    name = "adapter_model.safetensors"
    assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes()
