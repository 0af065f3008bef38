"""Evaluation: how many bits a byte of an author's own text costs a model; less is a better likeness.
Knows the prompt before each post and the model's context. Knows nothing of training or files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch.nn.functional import cross_entropy

from adapters.training.dataset import Post
from adapters.training.examples import Example
from adapters.training.loss import decoder_of, layers_of, pad
from adapters.training.paragraphs import plain
from adapters.training.prompts import IGNORED, answer_ids, messages_for_brief, messages_with_examples, prompt_ids
from adapters.training.stopping import ShouldStop, Stopped, never, stoppable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# Attention costs the square of the length, and a voice that is better here is better over longer texts too.
LONGEST_CONTEXT: Final = 2048
ROWS_AT_ONCE: Final = 8
LOGITS_AT_ONCE: Final = 256


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a post costs a model."""

    bits: float
    """Of all tokens of its text, the end of text left aside."""
    bytes: int
    """Of its text in UTF-8."""


def bits_per_byte(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    posts: Sequence[Post],
    should_stop: ShouldStop = never,
    *,
    examples: Sequence[Example] = (),
) -> float:
    """Mean bits per UTF-8 byte of the posts' text, each under its own brief, as the model is now.

    `examples` stand before every brief. A post longer than the context is read in windows that overlap by a quarter;
    no token is counted twice, and the end of text is not counted. Raises Stopped when `should_stop()` becomes true, and
    ValueError for no text.
    """
    costs = cost_of_each(model, tokenizer, posts, should_stop, examples=examples)
    size = sum(cost.bytes for cost in costs)
    if not size:
        raise ValueError("posts: there is no text to measure on")
    return sum(cost.bits for cost in costs) / size


def cost_of_each(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    posts: Sequence[Post],
    should_stop: ShouldStop = never,
    *,
    examples: Sequence[Example] = (),
) -> list[Cost]:
    """Bits and bytes of each post by itself, as for `bits_per_byte`."""
    texts = [plain(post.text) for post in posts]
    context = context_of(model)
    rows = [
        (place, *row)
        for place, (post, text) in enumerate(zip(posts, texts, strict=True))
        for row in _rows(tokenizer, post, text, context, examples)
    ]
    device = next(model.parameters()).device
    # A CPU does best on one row at a time; a GPU wants several, of like length.
    at_once = ROWS_AT_ONCE if device.type == "cuda" else 1
    rows.sort(key=lambda row: len(row[1]))
    nats = [0.0] * len(posts)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(), stoppable(layers_of(model), should_stop):
            for start in range(0, len(rows), at_once):
                if should_stop():
                    raise Stopped
                some = rows[start : start + at_once]
                ids, labels = pad([row[1:] for row in some], device)  # (rows, longest)
                for (place, *_), cost in zip(some, _nats(model, ids, labels).tolist(), strict=True):
                    nats[place] += cost
    finally:
        model.train(training)
    return [Cost(bits=cost / math.log(2), bytes=len(text.encode())) for cost, text in zip(nats, texts, strict=True)]


def context_of(model: Any) -> int:
    """Tokens that are read at once at most."""
    return min(LONGEST_CONTEXT, getattr(model.config, "max_position_embeddings", LONGEST_CONTEXT))


def _nats(model: Any, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    # (rows,): the sum over each row's labelled tokens of -ln p, in fp32. The output layer runs on a part of the
    # labelled positions at a time, because the logits of all would be gigabytes.
    hidden = decoder_of(model)(input_ids=ids, use_cache=False).last_hidden_state  # (rows, tokens, hidden)
    rows, before = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)  # each (labelled,)
    output = model.get_output_embeddings()
    found = torch.zeros(len(ids), dtype=torch.float32, device=ids.device)
    for start in range(0, len(rows), LOGITS_AT_ONCE):
        row, place = rows[start : start + LOGITS_AT_ONCE], before[start : start + LOGITS_AT_ONCE]
        logits = output(hidden[row, place]).float()  # (some, vocabulary)
        found.index_add_(0, row, cross_entropy(logits, labels[row, place + 1], reduction="none"))
    return found


def _rows(
    tokenizer: PreTrainedTokenizerBase, post: Post, text: str, context: int, examples: Sequence[Example] = ()
) -> Iterator[tuple[list[int], list[int]]]:
    prompt = prompt_ids(tokenizer, messages_with_examples(examples, messages_for_brief("", post.title)))
    answer = answer_ids(tokenizer, text)
    room = context - len(prompt)
    if room < context // 8:
        raise ValueError(f"examples: {len(prompt)} tokens of them leave no room in a context of {context}")
    overlap = room // 4
    start = counted = 0
    while counted < len(answer):
        part = answer[start : start + room]
        seen = counted - start  # tokens of this window that an earlier one has counted
        yield prompt + part, [IGNORED] * (len(prompt) + seen) + part[seen:]
        counted = start + len(part)
        start = counted - overlap
