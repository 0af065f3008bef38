"""Posts before a request."""

import pytest

from adapters.training.dataset import Post
from adapters.training.examples import draw, opening
from adapters.training.prompts import answer_ids, messages_for_brief, messages_with_examples
from tests.adapters.training.conftest import make_posts


@pytest.mark.parametrize("tokens", [60, 200, 1000, 5000])
def test_they_keep_to_their_budget_and_end_with_a_sentence(tokenizer, tokens):
    posts = make_posts(12, words=150)
    texts = {post.title: post.text for post in posts}
    found = draw(posts, tokenizer, tokens=tokens, seed=1)

    assert len(found) == 5
    assert sum(len(answer_ids(tokenizer, text)) for _, text in found) <= tokens
    assert all(texts[title].startswith(text) and text.endswith(".") for title, text in found)
    if tokens == 5000:
        assert all(texts[title] == text for title, text in found)


def test_what_a_short_post_leaves_over_goes_to_the_next(tokenizer):
    long = make_posts(1, words=300)[0]
    alone = draw([long], tokenizer, tokens=100, seed=0)[0][1]
    posts = [Post(id=9, title="Short", text="Yes."), long]
    beside_a_short_one = {
        title: text for seed in range(9) for title, text in draw(posts, tokenizer, tokens=100, seed=seed)
    }

    assert len(beside_a_short_one[long.title]) > len(alone) // 2


def test_the_same_seed_draws_the_same_and_another_draws_others(tokenizer):
    posts = make_posts(30)

    assert draw(posts, tokenizer, tokens=500, seed=1) == draw(posts, tokenizer, tokens=500, seed=1)
    assert draw(posts, tokenizer, tokens=500, seed=1) != draw(posts, tokenizer, tokens=500, seed=2)


def test_nothing_fits_into_too_little_room(tokenizer):
    assert opening("Incomprehensibilities abound here.", tokenizer, 0) == ""


def test_examples_stand_before_the_request_as_answered_ones():
    messages = messages_with_examples([("Rain", "It fell.")], messages_for_brief("Snow"))

    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[:2] == [*messages_for_brief("", "Rain"), {"role": "assistant", "content": "It fell."}]
