"""Reciting: how far a model goes on with its training posts word for word. Cheap enough to ask while it trains.
Knows training rows and greedy writing. Knows nothing of bounds, steps or adapters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import torch

from adapters.style.copying import Source, tokens
from adapters.training.dataset import Post
from adapters.training.loss import layers_of
from adapters.training.paragraphs import plain
from adapters.training.prompts import answer_ids, messages_for_brief, prompt_ids
from adapters.training.stopping import ShouldStop, never, stoppable
from adapters.training.writing import pad_left

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

STOP_AT: Final = 25
"""Words and marks. A model that goes on with a post for so long has read it too often: a bound for a second stop."""


def recited(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    posts: Sequence[Post],
    *,
    count: int = 3,
    given: int = 32,
    wanted: int = 40,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> int | None:
    """Words and marks of the longest run that the model, as it is now, shares with what truly follows.

    It is given the brief and the first `given` tokens of `count` random posts, as in training, and writes `wanted`
    tokens greedily, all posts at once: `wanted` passes of the model in all. None when no post is that long. Well-known
    texts are recited by the base model, too: compare. Raises Stopped when `should_stop()` becomes true.
    """
    chance = random.Random(seed)
    asked: list[tuple[list[int], list[int]]] = []
    for post in chance.sample(list(posts), len(posts)):
        if len(asked) == count:
            break
        # 16 characters a token are more than any language has.
        ids = answer_ids(tokenizer, plain(post.text)[: 16 * (given + wanted)])
        if len(ids) >= given + wanted:
            asked.append((prompt_ids(tokenizer, messages_for_brief("", post.title)) + ids[:given], ids[given:]))
    if not asked:
        return None
    prompts, mask = pad_left(
        [prompt for prompt, _ in asked], tokenizer.eos_token_id, next(model.parameters()).device
    )  # (posts, longest)
    training = model.training
    model.eval()
    try:
        with torch.inference_mode(), stoppable(layers_of(model), should_stop):
            written = model.generate(
                prompts,
                attention_mask=mask,
                max_new_tokens=wanted,
                do_sample=False,
                pad_token_id=tokenizer.eos_token_id,
            )[:, prompts.shape[1] :]  # (posts, at most wanted)
    finally:
        model.train(training)
    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    return max(_run(text, tokenizer.decode(true[: 2 * wanted])) for text, (_, true) in zip(texts, asked, strict=True))


def _run(text: str, true: str) -> int:
    return Source([true]).longest_run(text).tokens if tokens(text) else 0
