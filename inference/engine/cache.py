"""Key/value cache: what lies where in the frames that are pages.
Knows its layout. Knows nothing of attention or of which page is whose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from inference.engine.memory import Memory
from inference.engine.prefix import PAGE


@dataclass(frozen=True, kw_only=True)
class CacheShape:
    """What one token costs."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def values_per_token(self) -> int:
        return 2 * self.layers * self.kv_heads * self.head_dim

    @property
    def bytes_per_token(self) -> int:
        return self.values_per_token * self.dtype.itemsize

    def arena(self, frames: int) -> torch.Tensor:
        """Frames of a page each, and frame 0. Not initialised: on the CPU, what is never written costs nothing."""
        return torch.empty((frames + 1, PAGE * self.values_per_token), dtype=self.dtype, device=self.device)


class KVCache:
    """Token `i` of a sequence is token `i % PAGE` of its page `i // PAGE`.

    A frame holds (layers, 2, kv_heads, PAGE, head_dim): one head of a page in one layer is one contiguous block, which
    is what a kernel reads.
    """

    def __init__(self, shape: CacheShape, memory: Memory) -> None:
        self.shape = shape
        self.memory = memory

    def layer(self, number: int) -> torch.Tensor:
        """(frames, 2, kv_heads, PAGE, head_dim)"""
        return self._layers[number]

    @cached_property
    def _layers(self) -> tuple[torch.Tensor, ...]:
        shape = self.shape
        frames = self.memory.arena.view(-1, shape.layers, 2, shape.kv_heads, PAGE, shape.head_dim)
        return frames.unbind(dim=1)
