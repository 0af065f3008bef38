"""Windows: a post cut into rows of training, each with the prompt before it and where its text is from.
Knows prompts, paragraphs and provenance. Knows nothing of other posts, models or files."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from adapters.training.paragraphs import CUTS, PLAIN, SEPARATOR, Piece, pieces, tail
from adapters.training.posts import Post
from adapters.training.prompts import (
    IGNORED,
    Message,
    answer_ids,
    encode,
    messages_for_brief,
    messages_for_continuation,
    prompt_ids,
)
from adapters.training.recipe import Recipe

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# How much of a later window is the end of what came before: enough to carry the thread, little enough to be cheap.
OPENING_SHARE: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the text of a window comes from: positions in the post's plain text."""

    post: int
    """Id of the post."""
    kind: Literal["brief", "continuation"]
    """Which prompt stands before it."""
    first_paragraph: int
    """Index of the first paragraph that is learned from."""
    last_paragraph: int
    """Index of the last one, included."""
    opening: int
    """Position from which the model reads; what lies before `start` is given and not learned."""
    start: int
    """Position from which the model learns."""
    end: int
    """Position after the last character."""
    rules: tuple[str, ...] = ()
    """Names of the rules that made this text: the caller's cleaning, the trainer's own, and what it was cut at."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """One row of training: token ids, labels of the same length, and where the text is from."""

    ids: tuple[int, ...]
    """Prompt and text."""
    labels: tuple[int, ...]
    """The ids to learn, IGNORED where nothing is learned."""
    source: Source
    """Post and paragraphs."""

    @cached_property
    def learned(self) -> int:
        """How many tokens are learned."""
        return sum(label != IGNORED for label in self.labels)


def cut(post: Post, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Iterator[Window]:
    """The windows of a plain post, in its order. Raises ValueError when the recipe's are too short for any text."""

    def count(text: str) -> int:
        return len(answer_ids(tokenizer, text))

    request = messages_for_brief("", post.title)
    opening_room = int(recipe.window_tokens * OPENING_SHARE)
    room = recipe.window_tokens - len(prompt_ids(tokenizer, request)) - 1  # the last place is for end-of-text
    if room < 2 * opening_room:
        raise ValueError(f"window_tokens: {recipe.window_tokens} leaves no room beside the prompt")
    parts = pieces(post.text, count, room - opening_room)
    # Tied to the post, so that adding a post leaves the windows of the others alone.
    drawn = random.Random(f"{recipe.seed} {post.id}").random() < recipe.continuation_share
    separator = count(f"a{SEPARATOR}a") - 2 * count("a")  # by itself it may have another token
    at = 0
    while at < len(parts):
        later = parts[at].start > 0
        taken = _take(parts, at, room - opening_room if later else room, separator)
        at += len(taken)
        if later:
            yield _window(post, taken, tail(post.text, taken[0].start, count, opening_room), None, tokenizer)
        elif drawn and len(taken) > 1:
            # The opening of a continuation is given: its first piece is read and not learned.
            yield _window(post, taken[1:], 0, None, tokenizer)
        else:
            yield _window(post, taken, 0, request, tokenizer)


def _take(parts: Sequence[Piece], at: int, room: int, separator: int) -> list[Piece]:
    taken = [parts[at]]
    spent = parts[at].tokens
    for piece in parts[at + 1 : at + 1 + room]:
        spent += piece.tokens + separator
        if spent > room:
            break
        taken.append(piece)
    return taken


def _window(
    post: Post,
    taken: Sequence[Piece],
    opening: int,
    request: list[Message] | None,
    tokenizer: PreTrainedTokenizerBase,
) -> Window:
    source = Source(
        post=post.id,
        kind="brief" if request else "continuation",
        first_paragraph=taken[0].paragraph,
        last_paragraph=taken[-1].paragraph,
        opening=opening,
        start=taken[0].start,
        end=taken[-1].end,
        rules=(*filter(None, [post.cleaning]), PLAIN, max((piece.cut for piece in taken), key=CUTS.index)),
    )
    return window(post, source, tokenizer)


def window(post: Post, source: Source, tokenizer: PreTrainedTokenizerBase) -> Window:
    """The one row that a plain post and a source make: what was read can be had again from them."""
    if source.kind == "brief":
        request = messages_for_brief("", post.title)
        answer = post.text[source.start : source.end]
    else:
        before = post.text[source.opening : source.start].rstrip()
        request = messages_for_continuation(before)
        answer = post.text[source.opening + len(before) : source.end]
    ids, labels = encode(tokenizer, request, answer, end=source.end == len(post.text))
    return Window(ids=tuple(ids), labels=tuple(labels), source=source)
