"""Bits per byte."""

import math

import pytest
import torch

from adapters.training import evaluation
from adapters.training.dataset import Post
from adapters.training.evaluation import bits_per_byte, cost_of_each
from adapters.training.prompts import answer_ids, messages_for_brief, messages_with_examples, prompt_ids
from adapters.training.stopping import Stopped
from tests.adapters.training.conftest import make_posts


def by_hand(model, tokenizer, post):
    prompt = prompt_ids(tokenizer, messages_for_brief("", title=post.title))
    ids = torch.tensor([prompt + answer_ids(tokenizer, post.text)])
    with torch.no_grad():
        logp = model(input_ids=ids).logits.log_softmax(-1)  # (1, tokens, vocabulary)
    nats = -logp[0, :-1].gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum()
    return float(nats) / math.log(2)


def test_it_is_what_a_plain_forward_pass_gives(tiny, tokenizer):
    posts = make_posts(3, words=60)
    posts[0] = Post(id=1, title="Ärger", text="Schöne Grüße – “ja”.")
    bits = sum(by_hand(tiny, tokenizer, post) for post in posts)
    size = sum(len(post.text.encode()) for post in posts)

    assert bits_per_byte(tiny, tokenizer, posts) == pytest.approx(bits / size, rel=1e-5)


def test_every_token_of_a_long_post_is_counted_once(tiny, tokenizer, monkeypatch):
    monkeypatch.setattr(evaluation, "LONGEST_CONTEXT", 96)
    (post,) = make_posts(1, words=200)
    rows = list(evaluation._rows(tokenizer, post, post.text, 96))

    counted = [label for _, labels in rows for label in labels if label >= 0]
    assert counted == answer_ids(tokenizer, post.text)
    assert all(len(ids) <= 96 for ids, _ in rows)
    assert len(rows) > 3
    # Random weights make all contexts equally bad, so windows hardly matter to the sum.
    whole = by_hand(tiny, tokenizer, post) / len(post.text.encode())
    assert bits_per_byte(tiny, tokenizer, [post]) == pytest.approx(whole, rel=1e-2)


def test_the_model_is_left_as_it_was(tiny, tokenizer):
    tiny.train()
    bits_per_byte(tiny, tokenizer, make_posts(1))

    assert tiny.training
    assert not any(layer._forward_pre_hooks for layer in tiny.model.layers)


def test_nothing_to_measure_on_is_refused(tiny, tokenizer):
    with pytest.raises(ValueError, match="no text"):
        bits_per_byte(tiny, tokenizer, [Post(id=1, title="Empty", text=" \n")])


def test_it_stops_between_two_layers(tiny, tokenizer):
    asked = iter([False, False, True])  # before the row, before the first layer, before the second

    with pytest.raises(Stopped):
        bits_per_byte(tiny, tokenizer, make_posts(1), lambda: next(asked))


def test_the_cost_of_each_post_is_what_it_costs_alone(tiny, tokenizer):
    posts = make_posts(4, words=60)
    found = cost_of_each(tiny, tokenizer, posts[::-1])[::-1]

    for post, cost in zip(posts, found, strict=True):
        assert cost.bits == pytest.approx(by_hand(tiny, tokenizer, post), rel=1e-5)
        assert cost.bytes == len(post.text.encode())


def test_posts_before_the_brief_are_read_and_not_counted(tiny, tokenizer):
    post, other = make_posts(2, words=60)
    prompt = prompt_ids(
        tokenizer, messages_with_examples([(other.title, other.text)], messages_for_brief("", title=post.title))
    )
    ids = torch.tensor([prompt + answer_ids(tokenizer, post.text)])
    with torch.no_grad():
        logp = tiny(input_ids=ids).logits.log_softmax(-1)  # (1, tokens, vocabulary)
    nats = -logp[0, :-1].gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum()
    expected = float(nats) / math.log(2) / len(post.text.encode())

    assert bits_per_byte(tiny, tokenizer, [post], examples=[(other.title, other.text)]) == pytest.approx(
        expected, rel=1e-5
    )


def test_examples_that_leave_no_room_are_refused(tiny, tokenizer):
    examples = [(post.title, post.text) for post in make_posts(5, words=300)]

    with pytest.raises(ValueError, match="examples: "):
        bits_per_byte(tiny, tokenizer, make_posts(1), examples=examples)
