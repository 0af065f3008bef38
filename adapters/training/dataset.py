"""Data set of one voice: which posts are left out, which are held out, and the windows of the others.
Knows whose posts they are and their order. Knows nothing of models, owners or files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

from adapters.training import windows as cutting
from adapters.training.duplicates import repeats
from adapters.training.paragraphs import plain
from adapters.training.posts import LeftOut, Post
from adapters.training.prompts import TEMPLATE_VERSION, answer_ids
from adapters.training.recipe import Recipe
from adapters.training.screening import foreign, junk
from adapters.training.windows import Source, Window

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["DataSet", "LeftOut", "Post", "Source", "Window", "build", "hash_of", "text_hash"]

HELD_OUT_SHARE: Final = 0.1
HELD_OUT_AT_LEAST: Final = 2

Voice = int | str


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Everything a voice is trained on and measured with."""

    train: tuple[Post, ...]
    """Posts that the windows are cut from, oldest first."""
    held_out: tuple[Post, ...]
    """The newest posts; no token of theirs is ever learned."""
    windows: tuple[Window, ...]
    """Rows of training, in the order of the posts."""
    left_out: tuple[LeftOut, ...]
    """Posts that are in neither, and why, by their ids."""
    train_tokens: int
    """Tokens of the training posts."""
    held_out_tokens: int
    """Tokens of the held-out posts."""
    hash: str
    """SHA-256 of all that is read: the same posts, tokenizer and recipe give the same one."""


def build(
    posts: Sequence[Post], tokenizer: PreTrainedTokenizerBase, recipe: Recipe, *, voice: Voice | None = None
) -> DataSet:
    """Leave out what is no writing of the author's own, or said twice; hold out the newest tenth (at least two posts);
    cut the rest into windows.

    All posts must be of one voice, and of `voice` where it is given. Raises ValueError for a post of another, when ids
    repeat, and when nothing would be left to train on.
    """
    if len({post.id for post in posts}) < len(posts):
        raise ValueError("posts: every id must be different")
    _require_one_voice(posts, voice)
    kept, left_out = _kept(posts)
    held_out_count = max(HELD_OUT_AT_LEAST, round(len(kept) * HELD_OUT_SHARE))
    if len(kept) <= held_out_count:
        raise ValueError(f"posts: {len(kept)} different posts with text, at least {HELD_OUT_AT_LEAST + 1} are needed")
    train, held_out = tuple(kept[:-held_out_count]), tuple(kept[-held_out_count:])
    windows = tuple(window for post in train for window in cutting.cut(post, tokenizer, recipe))
    return DataSet(
        train=train,
        held_out=held_out,
        windows=windows,
        left_out=tuple(left_out),
        train_tokens=sum(len(answer_ids(tokenizer, post.text)) for post in train),
        held_out_tokens=sum(len(answer_ids(tokenizer, post.text)) for post in held_out),
        hash=hash_of(windows, held_out),
    )


def _require_one_voice(posts: Sequence[Post], voice: Voice | None) -> None:
    expected = voice if voice is not None or not posts else posts[0].voice
    for post in posts:
        if post.voice != expected:
            raise ValueError(f"posts: post {post.id} is of voice {post.voice!r}, this data set is of {expected!r}")


def _kept(posts: Sequence[Post]) -> tuple[list[Post], list[LeftOut]]:
    # Oldest first; undated posts are taken for older than dated ones, in the order of their ids.
    ordered = sorted(posts, key=lambda post: (post.date is not None, post.date or date.min, post.id))
    ordered = [replace(post, text=plain(post.text)) for post in ordered]
    left_out = {post.id: found for post in ordered if (found := _unfit(post))}
    fit = {post.id: post.text for post in ordered if post.id not in left_out}
    for number, share in foreign(fit).items():
        left_out[number] = LeftOut(post=number, reason="another language", likeness=round(share, 3))
    prose = [post for post in ordered if post.id not in left_out]
    for post, again in zip(prose, repeats([post.text for post in prose]), strict=True):
        if again:
            reason = "duplicate" if again.exact else "near duplicate"
            like = prose[again.older].id
            left_out[post.id] = LeftOut(post=post.id, reason=reason, like=like, likeness=round(again.likeness, 3))
    return [post for post in prose if post.id not in left_out], [left_out[number] for number in sorted(left_out)]


def _unfit(post: Post) -> LeftOut | None:
    if not post.text:
        return LeftOut(post=post.id, reason="empty")
    if post.flags:
        return LeftOut(post=post.id, reason=f"flagged: {', '.join(sorted(post.flags))}")
    if found := junk(post.text):
        return LeftOut(post=post.id, reason=found[0], likeness=round(found[1], 3))
    return None


def text_hash(post: Post) -> str:
    """SHA-256 of a plain post's title and text."""
    return hashlib.sha256(json.dumps([post.title, post.text]).encode()).hexdigest()


def hash_of(windows: Sequence[Window], held_out: Sequence[Post]) -> str:
    """SHA-256 of what is read in training and in measuring."""
    total = hashlib.sha256(f"template {TEMPLATE_VERSION}".encode())
    for window in windows:
        total.update(json.dumps([asdict(window.source), window.ids, window.labels]).encode())
    for post in held_out:
        total.update(json.dumps([post.id, post.title, post.text]).encode())
    return total.hexdigest()
