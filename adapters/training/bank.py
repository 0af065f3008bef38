"""Bank: the adapters that learn in one step side by side, as the layers multiply by them.
Knows stacking, scale and dropout, and gathers gradients. Knows nothing of models, losses or optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from adapters.training.adapter import Adapter
from adapters.training.layout import Group, Layout


class Bank:
    """Room for some adapters of any ranks, padded with zeros; what is zero learns nothing and stays zero."""

    def __init__(
        self, groups: Sequence[Group], rank: int, places: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.layout = Layout(groups, rank)
        self.effective = torch.zeros(places, self.layout.numbers, dtype=dtype, device=device)
        """Weights as the layers use them: dropout in A, the scale in B."""
        self.gradients = torch.zeros(places, self.layout.numbers, dtype=torch.float32, device=device)
        """Of the effective weights, summed over the passes of a step."""
        self._used = self.layout.used().to(device)
        self._adapters: Sequence[Adapter] = ()
        self._kept: list[torch.Tensor | None] = []

    def fits(self, adapters: Sequence[Adapter]) -> bool:
        """Whether there is a place for each, and room for its rank."""
        ranks = [adapter.layout.rank for adapter in adapters]
        return len(ranks) <= len(self.effective) and max(ranks) <= self.layout.rank

    @torch.no_grad()
    def fill(self, adapters: Sequence[Adapter], steps: Sequence[int | None]) -> None:
        """Take the weights of `adapters` over, for the given step of each; None is a measurement, without dropout.

        Gradients begin at zero.
        """
        self._adapters, self._kept = adapters, []
        split = self.layout.first_b
        for adapter, step, row in zip(adapters, steps, self.effective, strict=False):
            if adapter.layout.rank < self.layout.rank:
                row.zero_()  # what an adapter of more ranks has left
            self.layout.copy(adapter.flat, adapter.layout, row)
            row[split:] *= adapter.scale
            kept = None if step is None else adapter.kept_inputs(step)
            self._kept.append(None if kept is None else kept.to(row.device, non_blocking=True))
            self._drop(row, self._kept[-1])
        self.gradients.zero_()

    @torch.no_grad()
    def gradient(self, index: int) -> torch.Tensor:
        """The gradient of an adapter's own weights (numbers,), laid out as they are."""
        adapter, row = self._adapters[index], self.gradients[index]
        row[self.layout.first_b :].mul_(self._used).mul_(adapter.scale)
        self._drop(row, self._kept[index])
        if adapter.layout.rank == self.layout.rank:
            return row
        out = torch.zeros_like(adapter.flat)
        adapter.layout.copy(row, self.layout, out)
        return out

    def _drop(self, row: torch.Tensor, kept: torch.Tensor | None) -> None:
        # Leaving out a feature of the input is leaving out a column of A.
        if kept is None:
            return
        start = 0
        for index, group in enumerate(self.layout.groups):
            self.layout.a(row, index).mul_(kept[start : start + group.inputs])
            start += group.inputs


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which adapter each part of a batch goes through: the batch's rows, in order, in equal parts."""

    bank: Bank
    parts: int
    """How many; 1 when all rows go through one adapter."""
    index: torch.Tensor | None
    """Place of each part's adapter in the bank (parts,); None when they are the first ones, in their order."""

    def a(self, group: int) -> torch.Tensor:
        """(parts, layers x rank, inputs)"""
        return self._pick(self.bank.layout.a(self.bank.effective, group))

    def b(self, group: int) -> torch.Tensor:
        """(parts, layers x rank, all outputs)"""
        return self._pick(self.bank.layout.b(self.bank.effective, group))

    def add_a(self, group: int, left: torch.Tensor, right: torch.Tensor) -> None:
        """Gather a gradient of `a(group)`: the products of each part's `left` and `right`."""
        self._add(self.bank.layout.a(self.bank.gradients, group), left, right)

    def add_b(self, group: int, left: torch.Tensor, right: torch.Tensor) -> None:
        """Gather a gradient of `b(group)`: the products of each part's `left` and `right`."""
        self._add(self.bank.layout.b(self.bank.gradients, group), left, right)

    def _pick(self, stacked: torch.Tensor) -> torch.Tensor:
        return stacked[: self.parts] if self.index is None else stacked.index_select(0, self.index)

    def _add(self, totals: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
        if self.index is None:
            add_product(totals[: self.parts], left, right)
        else:
            totals.index_add_(0, self.index, torch.bmm(left, right).to(totals.dtype))


def add_product(totals: torch.Tensor, left: torch.Tensor, right: torch.Tensor) -> None:
    """Add to each of some matrices (parts, n, m), in place, the product of its `left` (n, k) and `right` (k, m)."""
    if totals.dtype != left.dtype and not totals.is_cuda:
        totals += product(left, right)
        return
    wide: Any = {} if totals.dtype == left.dtype else {"out_dtype": totals.dtype}
    if len(totals) == 1:
        torch.addmm(totals[0], left[0], right[0], out=totals[0], **wide)
    else:
        torch.baddbmm(totals, left, right, out=totals, **wide)


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """The products of some matrices, (parts, n, k) by (parts, k, m)."""
    return (left[0] @ right[0])[None] if len(left) == 1 else torch.bmm(left, right)


def plan(bank: Bank, rows: Sequence[int]) -> Plan:
    """The plan of a batch whose rows go through the given adapters of the bank; rows of one adapter stand together."""
    counts = {adapter: rows.count(adapter) for adapter in dict.fromkeys(rows)}
    index = list(rows) if len(set(counts.values())) > 1 else list(counts)
    if index == list(range(len(index))):
        return Plan(bank=bank, parts=len(index), index=None)
    return Plan(bank=bank, parts=len(index), index=torch.tensor(index).to(bank.effective.device, non_blocking=True))
