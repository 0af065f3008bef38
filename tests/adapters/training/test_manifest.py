"""What an adapter says about itself."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from adapters.base_model import BaseModel
from adapters.store import AdapterStore, read_manifest
from adapters.training import manifest
from adapters.training.dataset import build
from adapters.training.recipe import Recipe
from adapters.training.stopping import never
from adapters.training.trainer import train
from tests.adapters.training.conftest import make_model, make_posts


@pytest.fixture(scope="module")
def made(tokenizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("adapter")
    recipe = Recipe(rank=4, epochs=1, window_tokens=160, evaluations_an_epoch=1, seed=7)
    posts = make_posts(6)
    again = replace(posts[0], id=60, title="Again", date=date(2026, 1, 1))
    data = build([*posts, again], tokenizer, recipe)
    trained = train(make_model(), tokenizer, data, recipe, lambda _: None, never, out)
    base = BaseModel(name="tiny", folder=Path("anywhere"), digest="d" * 64)
    return base, data, recipe, trained, out


def about(made, **extra):
    base, data, recipe, trained, _ = made
    return manifest.build(base=base, voice="Ada", data=data, recipe=recipe, trained=trained, extra=extra)


def test_it_names_base_data_recipe_and_figures(made):
    found = about(made)
    _, data, recipe, trained, _ = made

    assert found["base_model"] == {"name": "tiny", "digest": "d" * 64}
    assert found["data"]["hash"] == data.hash
    assert found["data"]["train_posts"] == [1, 2, 3, 4]
    assert found["data"]["held_out_posts"] == [5, 6]
    assert found["data"]["left_out"] == [{"post": 60, "reason": "duplicate", "like": 1, "likeness": 1.0}]
    assert found["recipe"] == recipe.as_dict()
    assert found["seed"] == 7
    assert found["metrics"]["bits_per_byte"] == trained.bits_per_byte
    assert found["metrics"]["base_bits_per_byte"] == trained.base_bits_per_byte
    assert set(found["libraries"]) == {"python", "torch", "transformers", "peft", "safetensors"}


def test_what_was_read_can_be_looked_up_in_the_posts(made):
    texts = {post.id: post.text for post in made[1].train}
    read = dict.fromkeys(texts, "")
    for window in about(made)["data"]["windows"]:
        opening, _, end = window["characters"]
        read[window["post"]] += texts[window["post"]][opening:end]

    assert all(paragraph in read[number] for number, text in texts.items() for paragraph in text.split("\n\n"))


def test_fields_of_the_callers_own_are_added(made):
    assert about(made, cleaning={"rules": 3})["cleaning"] == {"rules": 3}


def test_the_manifests_own_fields_cannot_be_overwritten(made):
    with pytest.raises(ValueError, match="'base_model'"):
        about(made, base_model="another")


def test_the_store_takes_the_finished_folder(made, tmp_path):
    manifest.write(about(made), made[-1])
    store = AdapterStore(tmp_path)
    digest = store.put(made[-1])

    assert read_manifest(store.verify(digest)) == json.loads(json.dumps(about(made)))
