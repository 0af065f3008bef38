"""What the engine is asked for a draft, and when a text is long enough."""

from __future__ import annotations

import pytest

from adapters.training import prompts
from inference import prompting
from inference.prompting import Length


def test_a_draft_is_asked_for_in_the_format_that_voices_are_trained_in():
    chosen = prompting.parameters(model="base", writer="Base model", temperature=0.8, length=Length.SHORT)
    body = prompting.body(brief="The first frost", seed=7, parameters=chosen)

    assert body["messages"] == prompts.messages_for_brief("The first frost")
    assert (body["model"], body["seed"], body["temperature"]) == ("base", 7, 0.8)
    assert body["max_tokens"] == 300


def test_only_what_the_engine_knows_is_sent():
    chosen = prompting.parameters(model="base", writer="Base model", temperature=0.8, length=Length.SHORT)

    assert not {"writer", "length", "words"} & set(prompting.body(brief="Frost", seed=7, parameters=chosen))


@pytest.mark.parametrize(
    ("text", "following", "enough"),
    [
        ("One two three.", " Four", True),
        ("One two three.", "\n\n", True),
        ("One two “three.”", " Four", True),
        ("One two three", " four", False),
        ("One two 3.", "5 metres", False),
        ("One.", " Two", False),
        ("One two three.", "", False),
    ],
)
def test_a_text_ends_with_the_first_sentence_that_makes_it_long_enough(text, following, enough):
    assert prompting.is_enough(text, following, words=3) is enough
