"""The one prompt format, in training and at the worker."""

import pytest

from adapters.base_model import PLAIN_CHAT_TEMPLATE
from adapters.training import prompts
from adapters.training.prompts import IGNORED


def as_the_worker_reads(tokenizer, messages, **options):
    return tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True, **options)["input_ids"]


@pytest.fixture(params=["own template", "plain template"])
def any_tokenizer(request, starter_tokenizer, monkeypatch):
    if request.param == "plain template":
        monkeypatch.setattr(starter_tokenizer, "chat_template", PLAIN_CHAT_TEMPLATE)
    return starter_tokenizer


def test_a_training_row_begins_with_the_ids_that_the_worker_begins_with(any_tokenizer):
    messages = prompts.messages_for_brief("What the frost did to the tap", title="First frost")
    ids, _ = prompts.encode(any_tokenizer, messages, "It was early.")

    prompt = as_the_worker_reads(any_tokenizer, messages, add_generation_prompt=True)
    assert ids[: len(prompt)] == prompt
    assert any_tokenizer.decode(ids[len(prompt) : -1]) == "It was early."


def test_a_continuation_begins_with_the_ids_that_the_worker_begins_with(any_tokenizer):
    messages = prompts.messages_for_continuation("It was early.\n\n", title="First frost")
    ids, _ = prompts.encode(any_tokenizer, messages, "\n\nNobody was up.")

    prompt = as_the_worker_reads(any_tokenizer, messages, continue_final_message=True)
    assert ids[: len(prompt)] == prompt
    assert any_tokenizer.decode(prompt).endswith("It was early.")


def test_only_the_answer_is_learned(tokenizer):
    messages = prompts.messages_for_continuation("It was early.")
    ids, labels = prompts.encode(tokenizer, messages, " Nobody was up.", end=True)

    prompt = len(prompts.prompt_ids(tokenizer, messages))
    assert labels[:prompt] == [IGNORED] * prompt
    assert labels[prompt:] == ids[prompt:]
    assert ids[-1] == tokenizer.eos_token_id


def test_a_text_that_goes_on_has_no_end(tokenizer):
    ids, _ = prompts.encode(tokenizer, prompts.messages_for_brief("Frost"), "It was early.", end=False)

    assert tokenizer.decode(ids).endswith("It was early.")


def test_an_authors_brief_stands_where_training_had_a_title():
    assert prompts.messages_for_brief("First frost") == prompts.messages_for_brief("", title="First frost")


def test_nobody_but_the_user_speaks_first():
    assert [message["role"] for message in prompts.messages_for_brief("Frost")] == ["user"]
    assert [message["role"] for message in prompts.messages_for_continuation("It was")] == ["user", "assistant"]


def test_a_title_of_ten_thousand_characters_leaves_room_for_the_post(starter_tokenizer):
    messages = prompts.messages_for_brief("", title="frost\n" * 2000)

    assert "\nfrost\n" not in messages[0]["content"]
    assert len(prompts.prompt_ids(starter_tokenizer, messages)) < 120


def test_what_looks_like_a_control_token_in_a_post_stays_text(tokenizer):
    ids = prompts.answer_ids(tokenizer, f"He typed {tokenizer.eos_token} and went home.")

    assert tokenizer.eos_token_id not in ids
    assert tokenizer.decode(ids) == f"He typed {tokenizer.eos_token} and went home."
