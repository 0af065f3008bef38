"""The phase that wants a GPU: trains the voices, lets everybody write, and measures likelihoods.
Knows the plan and the models. Knows nothing of judges."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from adapters import base_model
from adapters.training.dataset import Post
from adapters.training.evaluation import cost_of_each
from adapters.training.examples import Example, draw
from adapters.training.rows import Rows
from adapters.training.writing import write
from bench.style.authors import Author
from bench.style.plan import EXAMPLE_TOKENS, Text, Voice
from bench.style.run import Run
from bench.style.voices import train_voices

AT_ONCE: Final = 8
"""Voices that learn side by side."""


def load(folder: Path, device: str, *, tiny: bool) -> tuple[Any, Any]:
    """The base model and its tokenizer; tiny is a random Llama with the same tokenizer, to try the program with."""
    if not tiny:
        return base_model.load(folder, device=device)
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = base_model.load_tokenizer(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    device = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    return LlamaForCausalLM(config).to(device, torch.bfloat16 if device == "cuda" else torch.float32).eval(), tokenizer


def train_all(
    run: Run, model: Any, tokenizer: Any, voices: Sequence[Voice], folder: Path, minutes: float
) -> list[Voice]:
    """Train them side by side, beginning none after so many minutes; returns those that are there."""
    by_name = {voice.job.name: voice for voice in voices}
    jobs = [voice.job for voice in voices]
    with _timed(run, "training"):
        for job, found in train_voices(model, tokenizer, jobs, folder, AT_ONCE, time.monotonic() + 60 * minutes):
            voice = by_name[job.name]
            share = found["recipe"]["continuation_share"]
            run.voices[job.name] = {**found, "author": voice.author, "words": voice.words, "share": share}
            print(
                f"  {len(run.voices):3} of {len(voices)} {job.name:32} {found['train_tokens']:>7,} tokens"
                f" {found['base_bits_per_byte']:.3f} -> {found['bits_per_byte']:.3f} bits per byte"
                f" {found['seconds']:>6.1f} s, step {found['step']} of {found['steps']}",
                flush=True,
            )
    run.save()
    ready = [voice for voice in voices if voice.job.name in run.voices]
    if len(ready) < len(voices):
        print(f"  no time for {len(voices) - len(ready)} more voices; the same call goes on with them", flush=True)
    return ready


def write_all(run: Run, rows: Rows, tokenizer: Any, texts: Sequence[Text], tokens: int, seed: int) -> None:
    """The texts that the run does not have yet, and for which there are voices."""
    wanted = {text.request.key: text for text in texts}
    ready = [
        text.request
        for key, text in wanted.items()
        if key not in run.texts and (text.request.voice is None or text.request.voice in run.voices)
    ]
    done, started = 0, time.monotonic()
    with _timed(run, "writing"):
        for written in write(rows, tokenizer, ready, tokens=tokens, seed=seed):
            for key, text in written.items():
                run.texts[key] = {**wanted[key].as_dict(), "text": text}
            run.save()
            done += len(written)
            pace = done * tokens / (time.monotonic() - started)
            print(f"  wrote {done} of {len(ready)} texts, {pace:,.0f} tokens/s", flush=True)


def measure_every_voice(run: Run, rows: Rows, tokenizer: Any, authors: Sequence[Author], seed: int) -> None:
    """What every held-out post costs the base model and every voice, and with own posts before it the own voice."""
    held_out = [post for author in authors for post in author.part("C")]
    for voice in (None, *run.voices):
        measure(run, rows, tokenizer, held_out, voice, None)
    for author in authors:
        examples = draw(author.part("A"), tokenizer, tokens=EXAMPLE_TOKENS, seed=f"{seed} {author.slug} costs")
        for voice in (None, author.slug):
            if voice is None or voice in run.voices:
                measure(run, rows, tokenizer, author.part("C"), voice, author.slug, examples)


def measure_own_voices(
    run: Run, rows: Rows, tokenizer: Any, authors: Sequence[Author], voices: Sequence[Voice]
) -> None:
    """What an author's held-out posts cost the base model and each of the voices that are theirs."""
    for author in authors:
        for voice in (None, *(voice.job.name for voice in voices if voice.author == author.slug)):
            measure(run, rows, tokenizer, author.part("C"), voice, author.slug)


def measure(
    run: Run,
    rows: Rows,
    tokenizer: Any,
    posts: Sequence[Post],
    voice: str | None,
    author: str | None,
    examples: Sequence[Example] = (),
) -> None:
    """What each of the posts costs; `author` None means everybody's."""
    key = f"{voice or 'base'}/{author or 'all'}/{len(examples)}"
    if key in run.costs:
        return
    with _timed(run, "measuring"), rows.of([voice]):
        found = cost_of_each(rows.model, tokenizer, posts, examples=examples)
    run.costs[key] = {
        "voice": voice,
        "author": author,
        "examples": len(examples),
        "posts": [[post.id, round(cost.bits, 3), cost.bytes] for post, cost in zip(posts, found, strict=True)],
    }
    run.save()
    rate = sum(cost.bits for cost in found) / sum(cost.bytes for cost in found)
    print(f"  {key:40} {rate:.4f} bits per byte of {len(posts)} held-out posts", flush=True)


@contextmanager
def _timed(run: Run, part: str) -> Iterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        run.took(part, time.monotonic() - started)
