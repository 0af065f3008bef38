"""Posts before a request."""

import pytest

from adapters.training.dataset import Post
from adapters.training.examples import draw, opening
from adapters.training.prompts import answer_ids, messages_for_brief, messages_with_examples, prompt_ids
from tests.adapters.training.conftest import make_posts


@pytest.mark.parametrize("tokens", [30, 400, 1000, 5000])
def test_they_keep_to_their_budget_and_end_with_a_sentence(tokenizer, tokens):
    posts = make_posts(12, words=150)
    texts = {post.title: post.text for post in posts}
    found = draw(posts, tokenizer, tokens=tokens, seed=1)
    request = messages_for_brief("Snow")
    without = prompt_ids(tokenizer, request)

    assert len(found) == (5 if tokens > 30 else 0)
    assert len(prompt_ids(tokenizer, messages_with_examples(found, request))) <= len(without) + tokens
    assert all(texts[title].startswith(text) and text.endswith(".") for title, text in found)
    if tokens == 5000:
        assert all(texts[title] == text for title, text in found)


def test_what_a_short_post_leaves_over_goes_to_the_next(tokenizer):
    long, other = make_posts(2, words=300)
    short = Post(id=9, title="Short", text="Yes.")

    def longest(posts):
        return max(len(dict(draw(posts, tokenizer, tokens=400, seed=seed)).get(long.title, "")) for seed in range(9))

    assert longest([short, long]) > 1.3 * longest([other, long])


def test_the_same_seed_draws_the_same_and_another_draws_others(tokenizer):
    posts = make_posts(30)

    assert draw(posts, tokenizer, tokens=500, seed=1) == draw(posts, tokenizer, tokens=500, seed=1)
    assert draw(posts, tokenizer, tokens=500, seed=1) != draw(posts, tokenizer, tokens=500, seed=2)


def test_nothing_fits_into_too_little_room(tokenizer):
    assert opening("Incomprehensibilities abound here.", tokenizer, 0) == ""
    assert opening(" \n", tokenizer, 9) == ""


@pytest.mark.parametrize("text", ["word " * 900, "夜" * 900])
def test_of_a_text_without_sentences_as_much_is_shown_as_fits(tokenizer, text):
    found = opening(text, tokenizer, 50)

    assert text.startswith(found)
    assert 20 < len(answer_ids(tokenizer, found)) <= 50


def test_examples_stand_before_the_request_as_answered_ones():
    messages = messages_with_examples([("Rain", "It fell.")], messages_for_brief("Snow"))

    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[:2] == [*messages_for_brief("", "Rain"), {"role": "assistant", "content": "It fell."}]
