"""What a voice reads, and what it never reads."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from adapters.training.dataset import LeftOut, Post, build
from adapters.training.prompts import IGNORED
from tests.adapters.training.conftest import make_posts

ROOT = Path(__file__).resolve().parents[3]


def learned_text(tokenizer, window):
    return tokenizer.decode([label for label in window.labels if label not in (IGNORED, tokenizer.eos_token_id)])


def test_the_newest_posts_are_held_out(tokenizer, recipe):
    posts = make_posts(30)
    data = build(posts[::-1], tokenizer, recipe)

    assert [post.id for post in data.held_out] == [28, 29, 30]
    assert [post.id for post in data.train] == list(range(1, 28))


def test_at_least_two_posts_are_held_out(tokenizer, recipe):
    assert [post.id for post in build(make_posts(6), tokenizer, recipe).held_out] == [5, 6]


def test_posts_without_a_date_count_as_older_than_dated_ones(tokenizer, recipe):
    posts = [replace(post, date=None) if post.id > 3 else post for post in make_posts(6)]

    assert [post.id for post in build(posts, tokenizer, recipe).held_out] == [2, 3]


def test_no_held_out_text_is_in_a_training_row(tokenizer, recipe):
    posts = make_posts(12)
    posts[-1] = replace(posts[-1], text="A cormorant sat there.\n\nNobody had invited the cormorant.")
    data = build(posts, tokenizer, recipe)

    held_out = {post.id for post in data.held_out}
    assert not held_out & {window.source.post for window in data.windows}
    assert not any("cormorant" in tokenizer.decode(window.ids) for window in data.windows)


def test_exact_duplicates_are_read_once_and_never_measured_on(tokenizer, recipe):
    posts = make_posts(6)
    again = Post(id=99, title="Reposted", text=posts[0].text.replace("\n\n", "\r\n\r\n"), date=date(2026, 1, 1))
    data = build([*posts, again], tokenizer, recipe)

    assert data.left_out == (LeftOut(post=99, reason="duplicate", like=1, likeness=1.0),)
    assert [post.id for post in data.held_out] == [5, 6]


def test_empty_posts_are_left_out(tokenizer, recipe):
    data = build([*make_posts(4), Post(id=50, title="Nothing", text=" \n\n ")], tokenizer, recipe)

    assert 50 not in {post.id for post in (*data.train, *data.held_out)}
    assert data.left_out == (LeftOut(post=50, reason="empty"),)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_posts_are_refused_by_number(tokenizer, recipe, count):
    with pytest.raises(ValueError, match=f"posts: {count} different posts"):
        build(make_posts(count), tokenizer, recipe)


def test_two_posts_with_one_id_are_refused(tokenizer, recipe):
    with pytest.raises(ValueError, match="id"):
        build([*make_posts(4), *make_posts(1, seed=9)], tokenizer, recipe)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("window_tokens", [128, 160, 512])
def test_a_window_holds_exactly_the_text_it_names(tokenizer, recipe, share, window_tokens):
    recipe = replace(recipe, continuation_share=share, window_tokens=window_tokens)
    data = build(make_posts(8, words=300), tokenizer, recipe)
    texts = {post.id: post.text for post in data.train}

    for window in data.windows:
        source, text = window.source, texts[window.source.post]
        assert len(window.ids) <= window_tokens
        assert learned_text(tokenizer, window).strip() == text[source.start : source.end].strip()
        assert tokenizer.decode([i for i in window.ids if i != tokenizer.eos_token_id]).endswith(
            text[source.opening : source.end]
        )


def test_whole_paragraphs_are_learned_where_they_fit(tokenizer, recipe):
    data = build(make_posts(8, words=300), tokenizer, replace(recipe, window_tokens=256))
    texts = {post.id: post.text for post in data.train}

    for window in data.windows:
        source, paragraphs = window.source, texts[window.source.post].split("\n\n")
        named = "\n\n".join(paragraphs[source.first_paragraph : source.last_paragraph + 1])
        assert texts[source.post][source.start : source.end] == named


def test_every_paragraph_of_a_training_post_is_learned_once(tokenizer, recipe):
    data = build(make_posts(8, words=300), tokenizer, replace(recipe, continuation_share=0.0))

    for post in data.train:
        own = [window.source for window in data.windows if window.source.post == post.id]
        assert "\n\n".join(post.text[s.start : s.end].strip() for s in own) == post.text


def test_only_the_last_window_of_a_post_ends_the_text(tokenizer, recipe):
    data = build(make_posts(8, words=300), tokenizer, recipe)
    texts = {post.id: post.text for post in data.train}

    for window in data.windows:
        ends = window.ids[-1] == tokenizer.eos_token_id
        assert ends == (window.source.end == len(texts[window.source.post]))


def test_later_windows_are_given_the_end_of_what_came_before(tokenizer, recipe):
    data = build(make_posts(8, words=300), tokenizer, recipe)
    later = [window.source for window in data.windows if window.source.first_paragraph > 0]

    assert later
    assert all(source.kind == "continuation" and source.opening < source.start for source in later)


def test_the_share_of_continuations_is_as_asked(tokenizer, recipe):
    def kinds(share):
        data = build(make_posts(40), tokenizer, replace(recipe, continuation_share=share, window_tokens=512))
        return [window.source.kind for window in data.windows]

    assert set(kinds(0.0)) == {"brief"}
    assert set(kinds(1.0)) == {"continuation"}
    assert 0.3 < kinds(0.5).count("continuation") / len(kinds(0.5)) < 0.7


def test_one_paragraph_of_forty_thousand_words_is_cut_at_sentences(tokenizer, recipe):
    posts = make_posts(3)
    posts[0] = replace(posts[0], text="The kettle hums. " * 4000)
    data = build(posts, tokenizer, recipe)
    long = [window for window in data.windows if window.source.post == posts[0].id]

    assert len(long) > 100
    assert all(len(window.ids) <= recipe.window_tokens for window in long)
    assert all(learned_text(tokenizer, window).rstrip().endswith(".") for window in long)


def test_the_same_input_has_the_same_hash(tokenizer, recipe):
    assert build(make_posts(6), tokenizer, recipe).hash == build(make_posts(6)[::-1], tokenizer, recipe).hash


@pytest.mark.parametrize("change", ["a word", "a held-out word", "a title", "the windows"])
def test_any_change_of_what_is_read_changes_the_hash(tokenizer, recipe, change):
    posts = make_posts(6)
    before = build(posts, tokenizer, recipe).hash
    if change == "a word":
        posts[0] = replace(posts[0], text=posts[0].text + " Indeed.")
    elif change == "a held-out word":
        posts[-1] = replace(posts[-1], text=posts[-1].text + " Indeed.")
    elif change == "a title":
        posts[0] = replace(posts[0], title="Another")
    else:
        recipe = replace(recipe, window_tokens=140)

    assert build(posts, tokenizer, recipe).hash != before


def test_a_window_without_room_for_text_is_refused_by_name(tokenizer, recipe):
    with pytest.raises(ValueError, match="window_tokens: 64"):
        build(make_posts(6), tokenizer, replace(recipe, window_tokens=64))


def mostly(text: str, fresh: str) -> str:
    """The text with its last fifth replaced."""
    words = text.split(" ")
    return " ".join([*words[: len(words) * 4 // 5], fresh])


def test_of_near_duplicates_the_older_stays_and_both_are_told_with_their_likeness(tokenizer, recipe):
    posts = make_posts(6)
    again = Post(id=99, title="Revised", text=mostly(posts[1].text, "Nobody saw it."), date=date(2026, 1, 1))
    data = build([again, *posts], tokenizer, recipe)

    (found,) = data.left_out
    assert (found.post, found.reason, found.like) == (99, "near duplicate", 2)
    assert 0.7 < found.likeness < 1
    assert 99 not in {post.id for post in (*data.train, *data.held_out)}
    assert [post.id for post in data.held_out] == [5, 6]


def test_a_flagged_post_is_not_read_and_its_flags_are_told(tokenizer, recipe):
    posts = make_posts(8)
    posts[2] = replace(posts[2], flags=("spam", "not mine"))
    posts[7] = replace(posts[7], flags=("draft",))
    data = build(posts, tokenizer, recipe)

    assert [(found.post, found.reason) for found in data.left_out] == [
        (3, "flagged: not mine, spam"),
        (8, "flagged: draft"),
    ]
    assert [post.id for post in data.held_out] == [6, 7]
    assert not {3, 8} & {window.source.post for window in data.windows}


def test_junk_and_other_languages_are_left_out_with_the_share_that_decided(tokenizer, recipe):
    posts = make_posts(8)
    posts[1] = replace(posts[1], text="See https://example.org/a and https://example.org/b")
    posts[4] = replace(
        posts[4], text=" ".join(f"Der Hund{n} und die Katze{n} gingen nicht nach Hause." for n in range(20))
    )
    data = build(posts, tokenizer, recipe)

    assert [(found.post, found.reason) for found in data.left_out] == [(2, "links"), (5, "another language")]
    assert data.left_out[0].likeness == 0.5
    assert data.left_out[1].likeness < 0.1


def test_what_is_left_out_is_not_taken_for_what_was_said_before(tokenizer, recipe):
    posts = make_posts(6)
    again = Post(id=99, title="Reposted", text=posts[0].text, date=date(2026, 1, 1))
    posts[0] = replace(posts[0], flags=("private",))
    data = build([*posts, again], tokenizer, recipe)

    assert [(found.post, found.reason) for found in data.left_out] == [(1, "flagged: private")]
    assert 99 in {post.id for post in data.held_out}


@pytest.mark.parametrize("voice", ["ada", 7])
def test_no_post_of_another_author_can_enter(tokenizer, recipe, voice):
    own = [replace(post, voice=voice) for post in make_posts(8)]
    (smuggled,) = make_posts(1, seed=5, first_id=66)
    strangers = [replace(smuggled, voice="bob"), replace(smuggled, voice=8), replace(smuggled, voice=None), smuggled]

    assert build(own, tokenizer, recipe, voice=voice).hash == build(own, tokenizer, recipe).hash
    for place in (0, 4, 8):
        for stranger in strangers:
            for asked in ({}, {"voice": voice}):
                with pytest.raises(ValueError, match="of voice") as refused:
                    build([*own[:place], stranger, *own[place:]], tokenizer, recipe, **asked)
                assert repr(voice) in str(refused.value)


def test_a_whole_data_set_of_another_author_is_refused_by_name(tokenizer, recipe):
    with pytest.raises(ValueError, match="post 1 is of voice 'bob', this data set is of 'ada'"):
        build([replace(post, voice="bob") for post in make_posts(8)], tokenizer, recipe, voice="ada")
    with pytest.raises(ValueError, match="of voice None"):
        build(make_posts(8), tokenizer, recipe, voice="ada")


def test_not_even_a_left_out_post_may_be_of_another_author(tokenizer, recipe):
    own = [replace(post, voice="ada") for post in make_posts(8)]
    empty = Post(id=66, title="", text="", voice="bob", flags=("spam",))
    with pytest.raises(ValueError, match="post 66 is of voice 'bob'"):
        build([*own, empty], tokenizer, recipe)


def test_windows_name_the_rules_that_made_their_text(tokenizer, recipe):
    posts = [replace(post, cleaning="markdown") for post in make_posts(8, words=300)]
    posts[0] = replace(posts[0], text="The kettle hums. " * 400, cleaning="")
    posts[1] = replace(posts[1], text="kettle " * 2000)
    rules = {window.source.post: window.source.rules for window in build(posts, tokenizer, recipe).windows}

    assert rules == {
        1: ("plain-1", "sentences"),
        2: ("markdown", "plain-1", "words"),
        **dict.fromkeys(range(3, 7), ("markdown", "plain-1", "paragraphs")),
    }


BUILD = """
import random, sys
from adapters.training.dataset import build
from adapters.training.recipe import Recipe
from transformers import AutoTokenizer
from tests.adapters.training.conftest import make_posts
from dataclasses import replace
posts = [replace(post, flags=tuple("fbdace")) if post.id == 3 else post for post in make_posts(14)]
random.Random(int(sys.argv[2])).shuffle(posts)
data = build(posts, AutoTokenizer.from_pretrained(sys.argv[1]), Recipe(window_tokens=160, seed=3))
print(data.hash, data.left_out)
"""


def test_every_process_gives_the_same_hash_in_whatever_order_the_posts_come(tiny_folder):
    found = set()
    for seed in ("0", "1"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", BUILD, str(tiny_folder), seed]
        found.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True, cwd=ROOT).stdout)

    assert len(found) == 1
    assert "flagged: a, b, c, d, e, f" in found.pop()
