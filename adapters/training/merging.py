"""Merging: an adapter added into its base model's weights for good, as a transformers model on disk.
Knows PEFT and transformers' file layout. Knows nothing of voices, versions or the store."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import torch
from peft import PeftModel

from adapters import base_model

CARD: Final = "README.md"


def merge(*, base: Path, adapter: Path, out: Path, dtype: torch.dtype, card: str) -> None:
    """Write the base model in `base` with the adapter in `adapter` merged into it, and `card` beside it, to `out`.

    W + scale * B A is computed in fp32 and rounded to `dtype` once. `out` must be empty or not there; it appears with
    all that is in it, or not at all. Raises ValueError for weights that are not finite, OSError when it cannot be
    written.
    """
    model, tokenizer = base_model.load(base, device="cpu", dtype="float32")
    merged: Any = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=".merge-"))
    try:
        merged.to(dtype).save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        (scratch / CARD).write_text(card, encoding="utf-8")
        scratch.chmod(0o755)  # mkdtemp is private to its user
        os.replace(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
