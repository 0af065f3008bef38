"""What exactly did the model read?"""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from adapters.base_model import BaseModel
from adapters.training import manifest, reading
from adapters.training.assessment import Assessment
from adapters.training.dataset import build
from adapters.training.prompts import IGNORED
from adapters.training.training import Trained
from tests.adapters.training.conftest import make_posts


@pytest.fixture(params=[0.0, 1.0])
def made(tokenizer, recipe, request):
    posts = [replace(post, cleaning="markdown") for post in make_posts(10, words=300)]
    posts[3] = replace(posts[3], text=posts[3].text.replace("\n\n", "\r\n \r\n"))
    posts[4] = replace(posts[4], text="The kettle “hums” – né Ärger 5. " * 60)
    posts.append(replace(posts[0], id=60, title="Again", date=date(2026, 1, 1)))
    recipe = replace(recipe, continuation_share=request.param)
    data = build(posts, tokenizer, recipe)
    trained = Trained(
        folder=Path(),
        bits_per_byte=1,
        base_bits_per_byte=2,
        rank=4,
        bytes=1,
        learning_rate=1,
        assessment=Assessment(base_bits=2, voice_bits=1),
        step=1,
        steps=1,
        seconds=1,
    )
    base = BaseModel(name="tiny", folder=Path(), digest="d" * 64)
    found = manifest.build(base=base, voice="Ada", data=data, recipe=recipe, trained=trained)
    return data, json.loads(json.dumps(found)), posts


def test_the_rows_come_back_token_for_token(made, tokenizer):
    data, found, posts = made

    assert tuple(reading.rows(found, posts[::-1], tokenizer)) == data.windows


def test_the_text_comes_back_character_for_character(made, tokenizer):
    data, found, posts = made
    passages = reading.passages(found, posts)

    assert len(passages) == len(data.windows) > 10
    for passage, window in zip(passages, data.windows, strict=True):
        labels = [label for label in window.labels if label not in (IGNORED, tokenizer.eos_token_id)]
        assert tokenizer.decode(labels).lstrip() == passage.learned
        ids = [number for number in window.ids if number != tokenizer.eos_token_id]
        assert tokenizer.decode(ids).endswith(passage.given + passage.learned)
        assert passage.source == window.source
        assert passage.source.rules[:2] == ("markdown", "plain-1")
        assert bool(passage.given) == (passage.source.kind == "continuation")


def test_a_post_that_was_left_out_need_not_be_there(made, tokenizer):
    _, found, posts = made

    assert found["data"]["left_out"][0]["post"] == 60
    assert reading.rows(found, posts[:-1], tokenizer)


@pytest.mark.parametrize("number", [1, 10])  # one that was learned, one that was held out
def test_a_post_that_is_missing_or_was_changed_is_named(made, tokenizer, number):
    _, found, posts = made
    without = [post for post in posts if post.id != number]
    changed = [replace(post, text=post.text[:-2] + "!.") if post.id == number else post for post in posts]
    renamed = [replace(post, title="Other") if post.id == number else post for post in posts]

    for some, why in ((without, "missing"), (changed, "not what it was"), (renamed, "not what it was")):
        for rebuild in (lambda some: reading.passages(found, some), lambda some: reading.rows(found, some, tokenizer)):
            with pytest.raises(ValueError, match=f"post {number} is {why}"):
                rebuild(some)


def test_another_tokenizer_is_noticed(made, tokenizer):
    import copy

    _, found, posts = made
    other = copy.deepcopy(tokenizer)
    other.chat_template = tokenizer.chat_template.replace("<s>", "<s><s>")
    with pytest.raises(ValueError, match="tokenizer"):
        reading.rows(found, posts, other)


def test_a_manifest_of_the_first_format_is_refused_by_number(made):
    _, found, posts = made
    with pytest.raises(ValueError, match="format 1"):
        reading.passages(found | {"format": 1}, posts)
