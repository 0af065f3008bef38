"""Which recipe, for how much writing, in which words."""

from dataclasses import replace

import pytest

from adapters.training.recipe import MINIMUM_POSTS, MINIMUM_TOKENS, Recipe, in_words, readiness, recipe_for

STARTER = 135_000_000


def test_larger_models_learn_at_lower_rates():
    rates = [recipe_for(10_000, size).learning_rate for size in (STARTER, 1_500_000_000, 8_000_000_000)]

    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 3


def test_more_writing_gets_a_higher_rank_and_larger_steps():
    recipes = [recipe_for(tokens, STARTER) for tokens in (6_000, 50_000, 300_000)]

    assert [recipe.rank for recipe in recipes] == [8, 16, 32]
    assert [recipe.windows_a_step for recipe in recipes] == sorted(recipe.windows_a_step for recipe in recipes)


@pytest.mark.parametrize(
    ("field", "value"), [("rank", 0), ("rank", 65), ("learning_rate", 0), ("dropout", 1.0), ("windows_a_step", 0)]
)
def test_a_field_out_of_bounds_is_named_with_its_value(field, value):
    with pytest.raises(ValueError, match=f"{field}: {value}"):
        replace(Recipe(), **{field: value})


def test_a_recipe_survives_json():
    recipe = recipe_for(6_000, STARTER)

    assert Recipe.from_dict(recipe.as_dict()) == recipe


def test_an_unknown_field_is_refused_by_name():
    with pytest.raises(ValueError, match="'rang'"):
        Recipe.from_dict({"rang": 8})


def test_a_field_of_the_wrong_type_is_refused_by_name():
    with pytest.raises(ValueError, match="rank: '8'"):
        Recipe.from_dict({"rank": "8"})


def test_enough_writing_is_enough():
    ready = readiness(MINIMUM_POSTS, MINIMUM_TOKENS)

    assert (ready.enough, ready.missing_posts, ready.missing_tokens) == (True, 0, 0)


@pytest.mark.parametrize(
    ("posts", "tokens", "said"),
    [
        (0, 0, "Add at least 5 more posts, about 3,750 words together."),
        (4, 9000, "Add at least 1 more post:"),
        (9, 4000, "Add about 750 more words."),
        (9, 4999, "Add about 50 more words."),
    ],
)
def test_what_is_missing_is_said_in_words(posts, tokens, said):
    ready = readiness(posts, tokens)

    assert not ready.enough
    assert ready.message.startswith(said)
    assert "learns the subjects by heart" in ready.message


def test_the_recipe_in_words_has_no_jargon():
    said = in_words(recipe_for(6_000, STARTER))

    assert "Your posts are read" in said
    assert not {"epoch", "token", "LoRA", "rank"} & set(said.split())
