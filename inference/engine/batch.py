"""The packed batch of one step: which rows of the flat token tensor belong to which sequence and which adapter.
Knows row ranges and pages. Knows nothing of how attention or LoRA use them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from adapters.lora_files import Adapter
from inference.engine.cache import KVCache
from inference.kernels.inputs import BatchTensors


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The rows of one sequence: one token when it decodes, a chunk of its prompt when it prefills."""

    pages: list[int]
    """Of its cache, with room for these rows."""
    rows: slice
    past: int
    """Tokens of the sequence already in the cache."""


@dataclass(kw_only=True)
class PackedBatch:
    """Sequences of the same adapter lie side by side, so that each adapter is read once."""

    cache: KVCache
    tokens: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    """For each token: where the step before, which may still run, leaves it, or -1 when it is known."""
    positions: list[int] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    adapters: list[tuple[Adapter, slice]] = field(default_factory=list)
    tensors: BatchTensors | None = None
    """The same for kernels."""

    @property
    def decodes(self) -> bool:
        """Whether every piece is a single token."""
        return len(self.tokens) == len(self.pieces)

    @cached_property
    def counts(self) -> list[int]:
        """Rows of each piece."""
        return [piece.rows.stop - piece.rows.start for piece in self.pieces]

    def add(
        self, tokens: list[int], past: int, pages: list[int], adapter: Adapter | None, source: int | None = None
    ) -> int:
        """Append `tokens` of a sequence, those behind its first `past`; return the row of the last one.

        With `source`, the token is the one that the step before chooses for that row of its own.
        """
        if source is not None:
            tokens = [0]
        self.sources += [-1] * len(tokens) if source is None else [source]
        rows = slice(len(self.tokens), len(self.tokens) + len(tokens))
        self.tokens += tokens
        self.positions += range(past, past + len(tokens))
        self.pieces.append(Piece(pages=pages, rows=rows, past=past))
        if adapter is not None:
            first = rows.start
            if self.adapters and self.adapters[-1][0] is adapter:
                first = self.adapters.pop()[1].start
            self.adapters.append((adapter, slice(first, rows.stop)))
        return rows.stop - 1
