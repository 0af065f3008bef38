"""Checkpoint: an interrupted training on disk, in one file that is there whole or not at all.
Knows tensors, progress and what they belong to. Knows nothing of what they mean."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import safe_open
from safetensors.torch import save_file

NAME: Final = "checkpoint.safetensors"


def write(
    folder: Path, *, belongs_to: Mapping[str, Any], progress: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]
) -> None:
    """Put it into `folder`, in the place of an older one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{NAME}"
    about = {"belongs_to": json.dumps(belongs_to, sort_keys=True), "progress": json.dumps(progress)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, scratch, metadata=about)
    with scratch.open("rb+") as stream:
        os.fsync(stream.fileno())
    os.replace(scratch, folder / NAME)


def read(folder: Path, *, belongs_to: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
    """Progress and tensors, on the CPU; None when there is no checkpoint in `folder`.

    Raises ValueError for one of another data set, recipe or base model.
    """
    path = folder / NAME
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        about = file.metadata()
        then, now = json.loads(about["belongs_to"]), json.loads(json.dumps(belongs_to))
        if changed := sorted(name for name in {*then, *now} if then.get(name) != now.get(name)):
            raise ValueError(f"checkpoint: it belongs to another training, {', '.join(changed)} changed since")
        return json.loads(about["progress"]), {name: file.get_tensor(name) for name in list(file.keys())}
