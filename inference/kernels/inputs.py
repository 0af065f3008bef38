"""What kernels are told of one step, as tensors in fixed places.
Knows shapes. Knows nothing of how they are filled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import torch

PREFILL_ROWS = 64
"""Tokens of one sequence that one block of the prefill kernel takes."""


class Inputs:
    """Tensors of one step."""

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The same in a CPU's memory, by name: made once a step, not once a layer."""
        found: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {
            name: value.numpy()
            for name, value in found.items()
            if isinstance(value, torch.Tensor) and not value.is_floating_point()
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class LoraChunks(Inputs):
    """Rows of one adapter in pieces of at most `rows`, so that the work grows with tokens, not with adapters."""

    anchor: torch.Tensor
    offsets: torch.Tensor
    """(layouts, modules), see AdapterTable."""
    starts: torch.Tensor
    """First row of each chunk; this and those below are (chunks,)."""
    counts: torch.Tensor
    """Rows."""
    bases: torch.Tensor
    """Where the adapter's block begins, in values from `anchor`."""
    ranks: torch.Tensor
    """Padded."""
    layouts: torch.Tensor
    """Row of `offsets`."""
    number: torch.Tensor
    """(1,): chunks that are real, the others are room."""
    blocks: int
    """Chunks at work at the same time; each goes on to the next one that is free."""
    rows: int
    """Of a chunk at most."""
    width: int
    """No rank exceeds it."""
    align: int
    """Every A and B begins at a multiple of this many values."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchTensors(Inputs):
    """What the kernels read of one step."""

    tokens: torch.Tensor
    """(tokens,) ids."""
    sources: torch.Tensor
    """(tokens,): places in `chosen` of tokens that the step before has chosen, -1 where `tokens` has the id."""
    chosen: torch.Tensor
    """(places,) ids: what the step before has chosen, and where this one leaves what it chooses."""
    positions: torch.Tensor
    """(tokens,) in their sequences."""
    slots: torch.Tensor
    """(tokens,): frame * PAGE + place in the page, where their keys and values go."""
    table: torch.Tensor
    """Frames of every piece's pages, `width` (1,) entries each."""
    width: torch.Tensor
    pieces: torch.Tensor
    """(decoding,): rows of the table that decode, then their rows in the batch and the tokens they see."""
    rows: torch.Tensor
    lengths: torch.Tensor
    tiles: torch.Tensor
    """(4, tiles) of prefilling pieces: row of the table, first row, tokens before it, rows."""
    ends: torch.Tensor
    """Rows that are to be answered, in order."""
    lora: LoraChunks | None
    logits: torch.Tensor | None = None
    """(answers, vocabulary) in fp32, where the model may leave them."""
