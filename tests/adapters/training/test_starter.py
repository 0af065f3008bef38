"""The real thing: the starter model learns a demo author."""

import time
from dataclasses import replace

import pytest
import torch
from peft import PeftModel

from adapters import base_model as base
from adapters.training.dataset import build
from adapters.training.evaluation import bits_per_byte
from adapters.training.process import TrainingChild
from adapters.training.recipe import recipe_for
from adapters.training.spec import Spec
from adapters.training.stopping import never
from adapters.training.trainer import train
from tests.adapters.training.conftest import demo_posts

pytestmark = pytest.mark.model


def test_a_few_steps_bring_it_closer_and_leave_the_base_model_alone(starter, tmp_path):
    model, tokenizer = starter
    recipe = replace(recipe_for(6_000, model.num_parameters()), epochs=1, evaluations_an_epoch=1)
    data = build(demo_posts("maren-oakes", 7, 900), tokenizer, recipe)
    ids = torch.tensor([data.windows[0].ids])
    with torch.no_grad():
        before = model(input_ids=ids).logits
    trained = train(model, tokenizer, data, recipe, lambda _: None, never, tmp_path)

    assert trained.bits_per_byte < 0.98 * trained.base_bits_per_byte
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, before)

    theirs = PeftModel.from_pretrained(model, tmp_path)
    try:
        found = bits_per_byte(theirs, tokenizer, data.held_out)
    finally:
        theirs.unload()
    assert found == pytest.approx(trained.bits_per_byte, rel=1e-6)


def test_cancelling_in_the_middle_of_a_step_takes_less_than_two_seconds(base_model: base.BaseModel, tmp_path):
    posts = demo_posts("ignatius-bell", 12, 2500)
    recipe = replace(recipe_for(6_000, 135_000_000), windows_a_step=8)
    spec = Spec(posts=posts, recipe=recipe, voice="Ignatius", out=tmp_path / "out")
    child = TrainingChild(base_model=base_model.name, models=base_model.folder.parent, device="cpu")
    asked, last = 0.0, None
    try:
        for event in child.train("a", spec):
            last = event or last
            if event is not None and event["kind"] == "baseline":
                time.sleep(1.0)  # by now the first step has begun; it takes ten seconds
                asked = time.monotonic()
                child.cancel("a")
        waited = time.monotonic() - asked
    finally:
        child.close()

    assert last == {"job": "a", "kind": "cancelled", "step": 0}
    assert waited < 2.0
