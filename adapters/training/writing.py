"""Writing: texts to many requests in a few large batches, each row in the voice that it asks for.
Knows prompts, sampling and how many rows fit. Knows nothing of who reads the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from adapters.training.examples import Example
from adapters.training.loss import layers_of
from adapters.training.prompts import messages_for_brief, messages_with_examples, prompt_ids
from adapters.training.rows import Rows
from adapters.training.samples import TEMPERATURE, TOP_P
from adapters.training.stopping import ShouldStop, never, stoppable

REPETITION_PENALTY: Final = 1.05
"""As on the site (inference/prompting.py)."""
ROWS_AT_ONCE: Final = {"cuda": 768, "cpu": 32}
TOKENS_AT_ONCE: Final = {"cuda": 600_000, "cpu": 24_000}
"""Of the KV cache: 23 kB each for the starter model in bf16, and as much again while it grows."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One text to write."""

    key: str
    """Its name; no two have the same."""
    brief: str
    """What it is to be about."""
    voice: str | None
    """Who writes; None is the base model."""
    examples: tuple[Example, ...] = ()
    """Posts before the request."""


def write(
    rows: Rows,
    tokenizer: Any,
    requests: Sequence[Request],
    *,
    tokens: int,
    seed: int,
    should_stop: ShouldStop = never,
) -> Iterator[dict[str, str]]:
    """The texts by the requests' keys, batch by batch; every text has exactly `tokens` tokens.

    End-of-text is never chosen: the judges need texts of one length. A text depends on the batch it is written in,
    because a batch has one source of chance. Raises Stopped when `should_stop()` becomes true.
    """
    prompts = [
        (
            request,
            prompt_ids(tokenizer, messages_with_examples(request.examples, messages_for_brief("", request.brief))),
        )
        for request in requests
    ]
    # The same texts for the same requests, in whatever order they come.
    prompts.sort(key=lambda pair: (len(pair[1]), pair[0].key))
    device = rows.model.device
    done = 0
    for batch in _batches(prompts, tokens, device.type):
        ids, mask = pad_left([prompt for _, prompt in batch], tokenizer.eos_token_id, device)
        voices = rows.of([request.voice for request, _ in batch])
        stop = stoppable(layers_of(rows.model), should_stop)
        with torch.random.fork_rng([device] if device.type == "cuda" else []), torch.inference_mode(), voices, stop:
            torch.manual_seed(seed + done)
            written = rows.model.generate(
                ids,
                attention_mask=mask,
                min_new_tokens=tokens,
                max_new_tokens=tokens,
                do_sample=True,
                temperature=TEMPERATURE,
                top_p=TOP_P,
                top_k=0,
                repetition_penalty=REPETITION_PENALTY,
                pad_token_id=tokenizer.eos_token_id,
            )[:, ids.shape[1] :]  # (rows, tokens)
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        done += len(batch)
        yield {request.key: text.strip() for (request, _), text in zip(batch, texts, strict=True)}


def pad_left(prompts: Sequence[Sequence[int]], filling: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask, each (rows, longest), filled up on the left: all rows go on from the same place."""
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), filling)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _batches(
    prompts: Sequence[tuple[Request, list[int]]], tokens: int, kind: str
) -> Iterator[Sequence[tuple[Request, list[int]]]]:
    # Sorted by length, so the last prompt of a batch is its longest.
    start = 0
    for end in range(1, len(prompts) + 1):
        if end < len(prompts):
            size = end + 1 - start
            full = size > ROWS_AT_ONCE[kind] or size * (len(prompts[end][1]) + tokens) > TOKENS_AT_ONCE[kind]
        if end == len(prompts) or full:
            yield prompts[start:end]
            start = end
