"""Writing: texts to many requests in a few large batches, each row in the voice that it asks for.
Knows prompts, sampling and how many rows fit. Knows nothing of who reads the texts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from adapters.training.examples import Example
from adapters.training.prompts import messages_for_brief, messages_with_examples, prompt_ids
from adapters.training.samples import TEMPERATURE, TOP_P
from bench.style.voices import Rows

REPETITION_PENALTY: Final = 1.05
"""As on the site (inference/prompting.py)."""
ROWS_AT_ONCE: Final = {"cuda": 768, "cpu": 8}
TOKENS_AT_ONCE: Final = {"cuda": 600_000, "cpu": 16_000}
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
    rows: Rows, tokenizer: Any, requests: Sequence[Request], *, tokens: int, seed: int
) -> Iterator[dict[str, str]]:
    """The texts by the requests' keys, batch by batch; every text has exactly `tokens` tokens.

    End-of-text is never chosen: the judges need texts of one length. A text depends on the batch it is written in,
    because a batch has one source of chance.
    """
    prompts = [
        (
            request,
            prompt_ids(tokenizer, messages_with_examples(request.examples, messages_for_brief("", request.brief))),
        )
        for request in requests
    ]
    prompts.sort(key=lambda pair: (len(pair[1]), pair[0].key))
    device = rows.model.device
    done = 0
    for batch in _batches(prompts, tokens, device.type):
        started = time.monotonic()
        longest = len(batch[-1][1])
        ids = torch.full((len(batch), longest), tokenizer.pad_token_id or tokenizer.eos_token_id)
        mask = torch.zeros_like(ids)
        for row, (_, prompt) in enumerate(batch):  # filled up on the left: all go on from the same place
            ids[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask[row, longest - len(prompt) :] = 1
        torch.manual_seed(seed + done)
        with torch.inference_mode(), rows.of([request.voice for request, _ in batch]):
            written = rows.model.generate(
                ids.to(device),
                attention_mask=mask.to(device),
                min_new_tokens=tokens,
                max_new_tokens=tokens,
                do_sample=True,
                temperature=TEMPERATURE,
                top_p=TOP_P,
                top_k=0,
                repetition_penalty=REPETITION_PENALTY,
                pad_token_id=tokenizer.eos_token_id,
            )[:, longest:]  # (rows, tokens)
        texts = tokenizer.batch_decode(written, skip_special_tokens=True)
        done += len(batch)
        seconds = time.monotonic() - started
        print(f"  wrote {done} of {len(prompts)} texts, {len(batch) * tokens / seconds:,.0f} tokens/s", flush=True)
        yield {request.key: text.strip() for (request, _), text in zip(batch, texts, strict=True)}


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
