"""Tokens become text without splitting characters, and stop strings are found wherever token borders fall."""

from __future__ import annotations

from typing import Any

import pytest

from inference.engine.text import TextStream
from tests.inference import tiny

FAMILY = "a👩‍👩‍👧 é ż 漢字 🦊!"


def pieces(text: str, tokenizer: Any, stop: tuple[str, ...] = ()) -> tuple[list[str], bool]:
    """What is shown after each token, and whether a stop string ended it."""
    stream, shown = TextStream(tokenizer, stop), []
    for token in tokenizer(text, add_special_tokens=False).input_ids:
        new, stopped = stream.push(token)
        shown.append(new)
        if stopped:
            return shown, True
    return [*shown, stream.finish()], False


def test_characters_are_never_split() -> None:
    shown, _ = pieces(FAMILY, tiny.tokenizer())
    assert "".join(shown) == FAMILY
    assert len(shown) > len(FAMILY)
    assert not any("\ufffd" in piece for piece in shown)


@pytest.mark.model
def test_characters_are_never_split_by_the_starter_model(starter: tuple[Any, Any]) -> None:
    shown, _ = pieces(FAMILY, starter[1])
    assert "".join(shown) == FAMILY
    assert not any("\ufffd" in piece for piece in shown)


def test_half_a_character_at_the_end_is_dropped() -> None:
    tokenizer = tiny.tokenizer()
    stream = TextStream(tokenizer)
    shown = "".join(stream.push(token)[0] for token in tokenizer("ok 🦊").input_ids[:-1])
    assert shown + stream.finish() == "ok "


def test_bytes_that_never_become_a_character_do_not_hold_up_the_rest() -> None:
    tokenizer = tiny.tokenizer()
    broken = tokenizer("🦊").input_ids[0]
    stream = TextStream(tokenizer)
    shown = "".join(stream.push(token)[0] for token in [broken] * 20 + tokenizer("fine").input_ids)
    assert shown == "\ufffd" * 20 + "fine"


def test_a_stop_string_across_tokens_is_cut_off() -> None:
    shown, stopped = pieces("one two END three", tiny.tokenizer(), ("END",))
    assert stopped
    assert "".join(shown) == "one two "


def test_the_first_of_several_stop_strings_counts() -> None:
    shown, stopped = pieces("a b c d", tiny.tokenizer(), ("d", "b c", "c"))
    assert stopped
    assert "".join(shown) == "a "


def test_what_could_become_a_stop_string_is_held_back_and_then_shown() -> None:
    shown, stopped = pieces("an ENtry", tiny.tokenizer(), ("END",))
    assert not stopped
    assert shown[:6] == ["a", "n", " ", "", "", "ENt"]
    assert "".join(shown) == "an ENtry"


def test_the_beginning_of_a_stop_string_at_the_end_is_shown() -> None:
    shown, stopped = pieces("the EN", tiny.tokenizer(), ("END",))
    assert not stopped
    assert "".join(shown) == "the EN"


def test_stop_strings_may_hold_characters_of_several_tokens() -> None:
    shown, stopped = pieces("a 🦊 b", tiny.tokenizer(), ("🦊",))
    assert stopped
    assert "".join(shown) == "a "


def test_stop_strings_below_the_minimum_pass() -> None:
    tokenizer = tiny.tokenizer()
    stream = TextStream(tokenizer, ("b",))
    first = [stream.push(token, stops=False) for token in tokenizer("ab").input_ids]
    then = [stream.push(token) for token in tokenizer("cb").input_ids]
    assert first == [("a", False), ("b", False)]
    assert then == [("c", False), ("", True)]
