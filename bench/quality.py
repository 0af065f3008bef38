"""What smaller weights cost: bits per byte of posts that nothing was trained on: `python -m bench.quality`.
Knows the kinds of weights and a few posts. Knows nothing of speed; results go to bench/results/quality/."""

from __future__ import annotations

import argparse
import gc
import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from adapters import base_model
from adapters.training.paragraphs import plain
from adapters.training.prompts import IGNORED, encode, messages_for_brief
from bench import machine
from bench.demo_posts import newest
from inference.layers import weights

KINDS: dict[str, tuple[str, Callable[[PreTrainedModel], None] | None]] = {
    "float32": ("float32", None),
    "float32-packed": ("float32", weights.pack),
    "bfloat16": ("bfloat16", None),
    "bfloat16-packed": ("float32", partial(weights.pack, dtype=torch.bfloat16)),
    "int8": ("float32", weights.quantize),
}
"""Name -> dtype to load the model in, and what is done to its weights then."""


def load(folder: Path, kind: str) -> tuple[PreTrainedModel, Any]:
    """The base model with weights of that kind, on the CPU, and its tokenizer."""
    dtype, change = KINDS[kind]
    model, tokenizer = base_model.load(folder, device="cpu", dtype=dtype)
    if change is not None:
        change(model)
    return model, tokenizer


@torch.inference_mode()
def logits_of(model: PreTrainedModel, rows: Sequence[tuple[list[int], list[int]]]) -> list[torch.Tensor]:
    """For each row, (labelled, vocabulary) in fp32: what the model expected where a label is."""
    found = []
    for ids, labels in rows:
        logits = model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, :-1]
        found.append(logits[torch.tensor(labels[1:]) != IGNORED].float())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base", default=base_model.STARTER, help="name or folder of the base model")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("IDIOLECT_MODELS", "var/models")))
    parser.add_argument("--posts", type=int, default=3, help="of each demo author")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=list(KINDS))
    arguments = parser.parse_args()
    base = base_model.find(arguments.base, arguments.models)
    tokenizer = base_model.load_tokenizer(base.folder)
    posts = newest(arguments.posts)
    texts = [plain(post.text) for post in posts]
    rows = [
        encode(tokenizer, messages_for_brief("", post.title), text, end=False)
        for post, text in zip(posts, texts, strict=True)
    ]
    size = sum(len(text.encode()) for text in texts)
    labels = [torch.tensor([label for label in labels if label != IGNORED]) for _, labels in rows]
    first: list[torch.Tensor] = []
    results = machine.Results(machine.RESULTS / "quality", Path(arguments.base).name, seed=0)
    for kind in arguments.kinds:
        model, _ = load(base.folder, kind)
        found = logits_of(model, rows)
        first = first or [row.argmax(-1) for row in found]
        pairs = zip(found, labels, strict=True)
        nats = sum(float(cross_entropy(row, wanted, reduction="sum")) for row, wanted in pairs)
        same = sum(int((row.argmax(-1) == best).sum()) for row, best in zip(found, first, strict=True))
        bits = nats / math.log(2) / size
        before = results.rows[0]["bits_per_byte"] if results.rows else bits
        results.rows.append(
            {
                "weights": kind,
                "base": arguments.base,
                "posts": [post.external_id for post in posts],
                "bytes": size,
                "tokens": sum(map(len, labels)),
                "bits_per_byte": round(bits, 5),
                "worse_by": round(bits / before - 1, 5),
                "same_likeliest_token": round(same / sum(map(len, labels)), 4),
                "weight_mib": round(weights.held_bytes(model) / 2**20),
            }
        )
        row = results.rows[-1]
        print(f"{kind:16} {bits:.4f} bits per byte ({row['worse_by']:+.2%}), {row['weight_mib']} MiB", flush=True)
        del model, found
        gc.collect()
    results.save()
    print(results.file)


if __name__ == "__main__":
    main()
