"""Data set of one voice: which posts are held out, and the windows that the others are cut into.
Knows prompts, paragraphs and provenance. Knows nothing of models, owners or files."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from adapters.training.paragraphs import SEPARATOR, Piece, pieces, plain, tail
from adapters.training.prompts import (
    IGNORED,
    TEMPLATE_VERSION,
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

HELD_OUT_SHARE: Final = 0.1
HELD_OUT_AT_LEAST: Final = 2
# How much of a later window is the end of what came before: enough to carry the thread, little enough to be cheap.
OPENING_SHARE: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Post:
    """A finished text of the author, cleaned."""

    id: int
    """The caller's number for it; provenance is told in these."""
    title: str
    """May be empty."""
    text: str
    """Paragraphs with blank lines between them."""
    date: date | None = None
    """When it was published; the newest posts are held out."""


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


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Everything a voice is trained on and measured with."""

    train: tuple[Post, ...]
    """Posts that the windows are cut from, oldest first."""
    held_out: tuple[Post, ...]
    """The newest posts; no token of theirs is ever learned."""
    windows: tuple[Window, ...]
    """Rows of training, in the order of the posts."""
    duplicates: tuple[int, ...]
    """Ids of posts left out because an older one has the same text."""
    train_tokens: int
    """Tokens of the training posts."""
    held_out_tokens: int
    """Tokens of the held-out posts."""
    hash: str
    """SHA-256 of all of it: the same posts, tokenizer and recipe give the same one."""


def build(posts: Sequence[Post], tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> DataSet:
    """Drop exact duplicates, hold out the newest tenth (at least two posts), cut the rest into windows.

    Raises ValueError when ids repeat, or when nothing would be left to train on.
    """
    if len({post.id for post in posts}) < len(posts):
        raise ValueError("posts: every id must be different")
    kept, duplicates = _without_duplicates(posts)
    held_out_count = max(HELD_OUT_AT_LEAST, round(len(kept) * HELD_OUT_SHARE))
    if len(kept) <= held_out_count:
        raise ValueError(f"posts: {len(kept)} different posts with text, at least {HELD_OUT_AT_LEAST + 1} are needed")
    train, held_out = tuple(kept[:-held_out_count]), tuple(kept[-held_out_count:])
    windows = tuple(window for post in train for window in _windows(post, tokenizer, recipe))
    return DataSet(
        train=train,
        held_out=held_out,
        windows=windows,
        duplicates=tuple(duplicates),
        train_tokens=sum(len(answer_ids(tokenizer, post.text)) for post in train),
        held_out_tokens=sum(len(answer_ids(tokenizer, post.text)) for post in held_out),
        hash=_hash(windows, held_out),
    )


def _without_duplicates(posts: Sequence[Post]) -> tuple[list[Post], list[int]]:
    # Oldest first; undated posts are taken for older than dated ones, in the order of their ids.
    ordered = sorted(posts, key=lambda post: (post.date is not None, post.date or date.min, post.id))
    seen: set[str] = set()
    kept, duplicates = [], []
    for post in ordered:
        text = plain(post.text)
        mark = " ".join(text.split())
        if mark in seen:
            duplicates.append(post.id)
        elif mark:
            seen.add(mark)
            kept.append(replace(post, text=text))
    return kept, duplicates


def _windows(post: Post, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> Iterator[Window]:
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
    start, end = taken[0].start, taken[-1].end
    if request is None:
        before = post.text[opening:start].rstrip()
        request = messages_for_continuation(before)
        answer = post.text[opening + len(before) : end]
    else:
        answer = post.text[start:end]
    ids, labels = encode(tokenizer, request, answer, end=end == len(post.text))
    source = Source(
        post=post.id,
        kind="brief" if request[-1]["role"] == "user" else "continuation",
        first_paragraph=taken[0].paragraph,
        last_paragraph=taken[-1].paragraph,
        opening=opening,
        start=start,
        end=end,
    )
    return Window(ids=tuple(ids), labels=tuple(labels), source=source)


def _hash(windows: Sequence[Window], held_out: Sequence[Post]) -> str:
    total = hashlib.sha256(f"template {TEMPLATE_VERSION}".encode())
    for window in windows:
        total.update(json.dumps([asdict(window.source), window.ids, window.labels]).encode())
    for post in held_out:
        total.update(json.dumps([post.id, post.title, post.text]).encode())
    return total.hexdigest()
