"""What is measured of a finished voice."""

from dataclasses import replace

import pytest

from adapters.style.writers import demo_writers
from adapters.training.assess import Budget, assess
from adapters.training.assessment import verdict
from adapters.training.dataset import Post, build
from adapters.training.evaluation import bits_per_byte
from adapters.training.stopping import Stopped, never
from adapters.training.trainer import train
from tests.adapters.training.conftest import make_model, make_posts, make_writer

QUICK = Budget(texts=2, tokens=12)


@pytest.fixture(scope="module")
def trained(tokenizer, tmp_path_factory):
    from adapters.training.recipe import Recipe

    recipe = Recipe(rank=4, dropout=0.0, learning_rate=5e-3, epochs=2, windows_a_step=2, window_tokens=160, seed=3)
    data = build(make_posts(8), tokenizer, recipe)
    out = tmp_path_factory.mktemp("voice")
    made = train(make_model(), tokenizer, data, recipe, lambda _: None, never, out)
    return data, out, made


def test_it_finds_the_figures_that_the_trainer_found(trained, tokenizer, tiny):
    data, out, made = trained
    found = assess(tiny, tokenizer, data, out, budget=Budget(texts=0))

    assert found.base_bits == pytest.approx(made.base_bits_per_byte, rel=1e-6)
    assert found.voice_bits == pytest.approx(made.bits_per_byte, rel=1e-4)
    assert verdict(found).passes


def test_figures_that_the_trainer_has_told_are_not_measured_again(trained, tokenizer, tiny):
    data, out, _ = trained
    found = assess(tiny, tokenizer, data, out, budget=Budget(texts=0), measured=(2.0, 1.5))

    assert (found.base_bits, found.voice_bits) == (2.0, 1.5)


def test_what_was_not_measured_is_none_and_has_a_reason(trained, tokenizer, tiny):
    data, out, _ = trained
    found = assess(tiny, tokenizer, data, out, budget=Budget(texts=0, example_tokens=0))

    assert found.voice is found.base is found.other is found.other_bits is found.examples_bits is None
    assert found.own.attributed is None
    assert set(found.missing) == {"voice", "base", "other", "other_bits", "examples_bits", "attributed"}
    assert all(len(reason) > 20 for reason in found.missing.values())


def test_examples_are_training_posts_and_never_held_out_ones(trained, tokenizer, tiny, monkeypatch):
    data, out, _ = trained
    shown = []

    def spy(model, tokenizer, posts, should_stop, *, examples=()):
        shown.extend(examples)
        return bits_per_byte(model, tokenizer, posts, should_stop, examples=examples)

    monkeypatch.setattr("adapters.training.assess.bits_per_byte", spy)
    found = assess(tiny, tokenizer, data, out, budget=replace(QUICK, texts=0))

    assert 3 <= len(shown) <= 5  # as many as fit
    assert {title for title, _ in shown} <= {post.title for post in data.train}
    assert found.examples_bits > 0


def test_another_voice_is_measured_as_the_control(trained, tokenizer, tiny):
    data, out, _ = trained
    found = assess(tiny, tokenizer, data, out, budget=Budget(texts=0), other_voice=out)

    # The other voice is the same one here: the control shows that an adapter is really put on.
    assert found.other_bits == pytest.approx(found.voice_bits, rel=1e-6)
    assert found.other_bits < found.base_bits
    assert "other_bits" not in found.missing


def test_without_judges_only_the_voice_writes(trained, tokenizer, tiny):
    data, out, _ = trained
    found = assess(tiny, tokenizer, data, out, budget=QUICK, other_voice=out, measured=(2.0, 1.5))

    assert (found.voice.texts, found.base, found.other) == (2, None, None)
    assert found.missing["base"] == found.missing["other"] == found.missing["attributed"]


def test_with_judges_base_voice_and_another_voice_write_to_the_same_briefs(trained, tokenizer, tiny, long_writer):
    _, out, _ = trained
    others = {"bell": make_writer("bell"), "oakes": make_writer("oakes")}
    found = assess(tiny, tokenizer, long_writer, out, budget=QUICK, others=others, other_voice=out, measured=(2.0, 1.5))

    assert found.voice.texts == found.base.texts == found.other.texts == 2
    assert found.voice.attributed is None  # 12 tokens are no 300 words
    assert {"voice.attributed", "base.attributed", "other.attributed"} <= found.missing.keys()


def test_a_held_out_post_that_repeats_a_training_post_is_the_authors_own_habit(trained, tokenizer, tiny):
    data, out, _ = trained
    habit = replace(data.held_out[0], text=data.train[0].text)
    found = assess(tiny, tokenizer, replace(data, held_out=(habit,)), out, budget=Budget(texts=0))

    assert found.own.copied.overlap_13 == 1
    assert found.own.copied.longest_run > 100


@pytest.fixture
def long_writer(trained, tokenizer):
    # Three held-out posts of two passages each, by somebody whose sentences are like nobody else's.
    data, *_ = trained
    return replace(data, held_out=tuple(make_posts(3, words=640, first_id=50)))


def test_judges_tell_the_author_by_the_held_out_posts(trained, tokenizer, tiny, long_writer):
    _, out, _ = trained
    others = {"bell": make_writer("bell"), "oakes": make_writer("oakes")}
    found = assess(tiny, tokenizer, long_writer, out, budget=Budget(texts=0), others=others, measured=(2.0, 1.5))

    assert found.own.attributed.characters == found.own.attributed.function_words == 1
    assert "attributed" not in found.missing


def test_texts_are_judged_where_they_are_long_enough(trained, tokenizer, tiny, long_writer, monkeypatch):
    _, out, _ = trained
    texts = {"voice": long_writer.train[0].text * 3, "base": make_writer("bell", seed=5)[0]}

    def write(rows, tokenizer, requests, **_):
        yield {request.key: texts[request.key.split()[0]] for request in requests}

    monkeypatch.setattr("adapters.training.assess.write", write)
    others = {"bell": make_writer("bell"), "oakes": make_writer("oakes")}
    found = assess(tiny, tokenizer, long_writer, out, budget=QUICK, others=others, measured=(2.0, 1.5))

    assert found.voice.attributed.characters == 1
    assert found.base.attributed.characters == 0
    assert found.voice.copied.longest_run > 100
    assert not verdict(found).passes


def test_a_writer_who_is_the_author_under_another_name_is_left_out(trained, tokenizer, tiny, long_writer):
    _, out, _ = trained
    others = {"the same": [post.text for post in long_writer.held_out]}
    found = assess(tiny, tokenizer, long_writer, out, budget=Budget(texts=0), others=others, measured=(2.0, 1.5))

    assert found.own.attributed is None
    assert "no other writer" in found.missing["attributed"]


def test_it_stops_when_asked(trained, tokenizer, tiny):
    data, out, _ = trained
    with pytest.raises(Stopped):
        assess(tiny, tokenizer, data, out, budget=QUICK, should_stop=lambda: True)


def test_without_titles_a_post_is_asked_for_all_the_same(trained, tokenizer, tiny):
    data, out, _ = trained
    nameless = replace(data, held_out=tuple(Post(id=post.id, title="", text=post.text) for post in data.held_out))

    assert assess(tiny, tokenizer, nameless, out, budget=QUICK, measured=(2.0, 1.5)).voice.texts == 2


def test_the_demo_authors_are_two_other_writers():
    found = demo_writers()

    assert len(found) == 2
    assert all(len(texts) > 5 and sum(len(text.split()) for text in texts) > 5000 for texts in found.values())
