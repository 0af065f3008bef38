"""Evaluation: how many bits a byte of an author's own text costs a model; less is a better likeness.
Knows the prompt before each post and the model's context. Knows nothing of training or files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from adapters.training.batch import batch
from adapters.training.dataset import Post
from adapters.training.loss import layers_of, negative_log_likelihood
from adapters.training.paragraphs import plain
from adapters.training.prompts import IGNORED, answer_ids, messages_for_brief, prompt_ids
from adapters.training.stopping import ShouldStop, Stopped, never, stoppable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Attention costs the square of the length, and a voice that is better here is better over longer texts too.
LONGEST_CONTEXT: Final = 2048
ROWS_AT_ONCE: Final = 8


def bits_per_byte(
    model: Any, tokenizer: PreTrainedTokenizerBase, posts: Sequence[Post], should_stop: ShouldStop = never
) -> float:
    """Mean bits per UTF-8 byte of the posts' text, each under its own brief, as the model is now.

    A post longer than the context is read in windows that overlap by a quarter; no token is counted twice, and the
    end of text is not counted. Raises Stopped when `should_stop()` becomes true, and ValueError for no text.
    """
    texts = [plain(post.text) for post in posts]
    size = sum(len(text.encode()) for text in texts)
    if not size:
        raise ValueError("posts: there is no text to measure on")
    context = min(LONGEST_CONTEXT, getattr(model.config, "max_position_embeddings", LONGEST_CONTEXT))
    rows = [row for post, text in zip(posts, texts, strict=True) for row in _rows(tokenizer, post, text, context)]
    device = next(model.parameters()).device
    # A CPU does best on one row at a time; a GPU wants several, of like length.
    at_once = ROWS_AT_ONCE if device.type == "cuda" else 1
    rows.sort(key=lambda row: len(row[0]))
    training = model.training
    model.eval()
    nats = 0.0
    try:
        with torch.inference_mode(), stoppable(layers_of(model), should_stop):
            for start in range(0, len(rows), at_once):
                if should_stop():
                    raise Stopped
                made = batch(rows[start : start + at_once], device)
                nats += float(negative_log_likelihood(model, made).sum())
    finally:
        model.train(training)
    return nats / math.log(2) / size


def _rows(
    tokenizer: PreTrainedTokenizerBase, post: Post, text: str, context: int
) -> Iterator[tuple[list[int], list[int]]]:
    prompt = prompt_ids(tokenizer, messages_for_brief("", post.title))
    answer = answer_ids(tokenizer, text)
    room = context - len(prompt)
    overlap = room // 4
    start = counted = 0
    while counted < len(answer):
        part = answer[start : start + room]
        seen = counted - start  # tokens of this window that an earlier one has counted
        yield prompt + part, [IGNORED] * (len(prompt) + seen) + part[seen:]
        counted = start + len(part)
        start = counted - overlap
