"""Whether a model has learned its posts by heart."""

import pytest
import torch

from adapters.style.copying import tokens
from adapters.training.dataset import Post
from adapters.training.prompts import answer_ids, encode, messages_for_brief
from adapters.training.reciting import recited
from adapters.training.stopping import Stopped
from tests.adapters.training.conftest import make_posts


def test_a_model_that_has_read_one_post_too_often_recites_it(tiny, tokenizer):
    post = Post(id=1, title="Rain", text=make_posts(1, words=100)[0].text)
    ids, _ = encode(tokenizer, messages_for_brief("", post.title), post.text)
    row = torch.tensor([ids])
    before = recited(tiny, tokenizer, [post], given=8, wanted=24)
    optimizer = torch.optim.Adam(tiny.parameters(), lr=1e-2)
    tiny.train()
    for _ in range(80):
        optimizer.zero_grad()
        tiny(input_ids=row, labels=row).loss.backward()
        optimizer.step()
    found = recited(tiny, tokenizer, [post], given=8, wanted=24)

    true = tokenizer.decode(answer_ids(tokenizer, post.text)[8:32])
    assert before < 4
    assert found >= len(tokens(true)) - 1  # the last word may be cut
    assert tiny.training


def test_no_more_posts_are_asked_for_than_wanted_and_the_same_ones_again(tiny, tokenizer, monkeypatch):
    asked = []
    generate = tiny.generate
    monkeypatch.setattr(tiny, "generate", lambda ids, **rest: asked.append(ids) or generate(ids, **rest))
    for _ in range(2):
        recited(tiny, tokenizer, make_posts(9), count=2, given=8, wanted=3, seed=4)

    assert len(asked[0]) == 2
    assert torch.equal(asked[0], asked[1])


def test_posts_that_are_too_short_tell_nothing(tiny, tokenizer):
    assert recited(tiny, tokenizer, [Post(id=1, title="", text="Short.")]) is None


def test_it_stops_when_asked(tiny, tokenizer):
    with pytest.raises(Stopped):
        recited(tiny, tokenizer, make_posts(3), given=8, wanted=8, should_stop=lambda: True)
