"""Batch: rows of token ids filled up to one length, and the places whose next token counts.
Knows padding, labels and weights. Knows nothing of models."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch

from adapters.training.prompts import IGNORED

Row = tuple[Sequence[int], Sequence[int]]
"""Token ids and labels, of one length."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Rows for one pass, on the model's device."""

    ids: torch.Tensor
    """(rows, longest)"""
    places: torch.Tensor
    """Of each labelled token: the place before it among all rows' tokens (labelled,)."""
    labels: torch.Tensor
    """What comes there (labelled,)."""
    owners: torch.Tensor
    """Whose row that is (labelled,)."""
    weights: torch.Tensor
    """How much it counts, in fp32 (labelled,)."""

    def tensors(self) -> list[torch.Tensor]:
        """All of them, in this order."""
        return [getattr(self, field.name) for field in fields(self)]


def batch(
    rows: Sequence[Row],
    device: torch.device,
    *,
    owners: Sequence[int] | None = None,
    weights: Sequence[float] | None = None,
    length_step: int = 1,
    labelled_step: int = 1,
) -> Batch:
    """Fill some rows up on the right; by default all are owner 0's and weigh 1.

    A causal model needs no attention mask for that: nothing that counts comes after the filling. Lengths and the number
    of labelled tokens are rounded up to multiples of the steps, with tokens that weigh nothing: so few shapes occur.
    """
    longest = _up(max(len(ids) for ids, _ in rows), length_step)
    ids = _filled_up([ids for ids, _ in rows], longest, 0)
    labels = _filled_up([labels for _, labels in rows], longest, IGNORED)
    row_of, place = (labels[:, 1:] != IGNORED).nonzero(as_tuple=True)  # (labelled,) both
    filling = _up(len(row_of), labelled_step) - len(row_of)
    owner = torch.tensor(owners or [0] * len(rows))[row_of]
    weight = torch.tensor(weights or [1.0] * len(rows), dtype=torch.float32)[row_of]
    made = (ids, *(_fill(x, filling) for x in (row_of * longest + place, labels[row_of, place + 1], owner, weight)))
    if device.type == "cuda":
        made = tuple(tensor.pin_memory() for tensor in made)
    sent = [tensor.to(device, non_blocking=True) for tensor in made]
    return Batch(ids=sent[0], places=sent[1], labels=sent[2], owners=sent[3], weights=sent[4])


def learned(row: Row) -> int:
    """How many tokens of a row are learned; the first has nothing before it to follow from."""
    labels = row[1][1:]
    return len(labels) - labels.count(IGNORED)


def _filled_up(rows: Sequence[Sequence[int]], longest: int, filling: int) -> torch.Tensor:
    # (rows, longest); a GPU waits for this, and torch.tensor would take thrice as long over Python's integers.
    out = np.full((len(rows), longest), filling, dtype=np.int64)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = array("q", row)
    return torch.from_numpy(out)


def _fill(values: torch.Tensor, filling: int) -> torch.Tensor:
    return torch.nn.functional.pad(values, (0, filling))


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
