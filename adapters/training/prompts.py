"""The one prompt format: what a voice is trained on and what it is later asked with, as chat messages.
Knows the chat template of the base model's tokenizer. Knows nothing of posts, windows or HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATE_VERSION: Final = 1
"""Goes up with every change that alters a single token of a prompt; recorded in each manifest."""

IGNORED: Final = -100
"""The label of a token that no loss is taken of."""

# A title of ten thousand characters would leave no room for the post.
LONGEST_TITLE: Final = 200


class Message(TypedDict):
    """A chat message in OpenAI's shape."""

    role: str
    content: str


def messages_for_brief(brief: str, title: str | None = None) -> list[Message]:
    """Ask for a whole post about a brief, a title, or both; an author's brief stands where training had a title.

    There is no system message, so a plain user message sent over the API prompts alike.
    """
    title = " ".join((title or "").split())[:LONGEST_TITLE].strip()
    subject = "\n\n".join(part for part in (title, brief.strip()) if part)
    request = f"Write a blog post about this:\n\n{subject}" if subject else "Write a blog post."
    return [{"role": "user", "content": request}]


def messages_for_continuation(opening: str, brief: str = "", title: str | None = None) -> list[Message]:
    """Ask for what follows `opening`: the same request with the answer already begun.

    Whoever sends these sets `continue_final_message`. White space at the end is dropped, because a tokenizer joins a
    space to the word after it; the answer begins with whatever space it needs.
    """
    return [*messages_for_brief(brief, title), {"role": "assistant", "content": opening.rstrip()}]


def messages_with_examples(examples: Sequence[tuple[str, str]], messages: list[Message]) -> list[Message]:
    """The same request after earlier ones, each of a title and the post that answered it."""
    earlier: list[Message] = []
    for title, text in examples:
        earlier += [*messages_for_brief("", title), {"role": "assistant", "content": text}]
    return earlier + messages


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> list[int]:
    """The token ids after which the model writes: an answer's header, or the end of the opening."""
    begun = messages[-1]["role"] == "assistant"
    ids: list[int] = tokenizer.apply_chat_template(
        messages, add_generation_prompt=not begun, continue_final_message=begun, tokenize=True, return_dict=False
    )
    return ids


def answer_ids(tokenizer: PreTrainedTokenizerBase, answer: str) -> list[int]:
    """The token ids of an answer on its own. Text that looks like a control token stays text."""
    ids: list[int] = tokenizer.encode(answer, add_special_tokens=False, split_special_tokens=True)
    return ids


def encode(
    tokenizer: PreTrainedTokenizerBase, messages: list[Message], answer: str, *, end: bool = True
) -> tuple[list[int], list[int]]:
    """Token ids of prompt and answer, and labels that cover the answer only; `end` closes it with end-of-text.

    Prompt and answer are tokenized apart, so a training row begins with exactly the ids that generation begins with.
    """
    prompt, written = prompt_ids(tokenizer, messages), answer_ids(tokenizer, answer)
    if end:
        written.append(tokenizer.eos_token_id)
    return prompt + written, [IGNORED] * len(prompt) + written
