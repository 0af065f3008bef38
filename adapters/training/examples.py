"""Examples: a few of the author's posts, drawn at random and cut to a budget, to stand before a request.
Knows tokens and sentences. Knows nothing of models or of what is asked for."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from adapters.training.dataset import Post
from adapters.training.paragraphs import head, pieces, plain
from adapters.training.prompts import answer_ids, messages_for_brief, messages_with_examples, prompt_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COUNT: Final = 5
"""Random ones, because similar ones lend their subject, not their style."""

Example = tuple[str, str]
"""Title, and the beginning of the post."""


def draw(
    posts: Sequence[Post], tokenizer: PreTrainedTokenizerBase, *, tokens: int, seed: int | str, count: int = COUNT
) -> list[Example]:
    """At most `count` of `posts` that take `tokens` tokens of the context together; the same seed draws the same ones.

    A post that is longer than its share is cut behind a sentence; what a short one leaves over goes to the next.
    """
    drawn = random.Random(str(seed)).sample(list(posts), min(count, len(posts)))
    found: list[Example] = []
    for place, post in enumerate(drawn):
        share = tokens // (len(drawn) - place)
        beginning = opening(post.text, tokenizer, share - _size(tokenizer, (post.title, "a")))
        if beginning:
            found.append((post.title, beginning))
            tokens -= _size(tokenizer, found[-1])
    return found


def _size(tokenizer: PreTrainedTokenizerBase, example: Example) -> int:
    # Its brief and the marks of two messages count, too.
    request = messages_for_brief("")
    return len(prompt_ids(tokenizer, messages_with_examples([example], request))) - len(prompt_ids(tokenizer, request))


def opening(text: str, tokenizer: PreTrainedTokenizerBase, most: int) -> str:
    """The first whole sentences of a text that have at most `most` tokens; of a first one that is longer, its words."""

    def count(part: str) -> int:
        return len(answer_ids(tokenizer, part))

    text = plain(text)
    if most < 1 or not text:
        return ""
    end = head(text, count, most) or pieces(text[: most * 16], count, most)[0].end
    return text[:end].rstrip()
