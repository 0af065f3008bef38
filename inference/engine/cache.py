"""Key/value cache: what lies where in the frames that are pages.
Knows its layout. Knows nothing of attention or of which page is whose."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
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

    On a GPU, one head of a page in one layer is one contiguous block, (layers, 2, kv_heads, PAGE, head_dim), which is
    what a kernel reads. On the CPU tokens come first, (PAGE, layers, 2, kv_heads, head_dim), so that pages which follow
    each other are one view with a fixed stride from token to token.
    """

    def __init__(self, shape: CacheShape, memory: Memory) -> None:
        self.shape = shape
        self.memory = memory

    def layer(self, number: int) -> torch.Tensor:
        """A GPU's (frames, 2, kv_heads, PAGE, head_dim)."""
        shape = self.shape
        return self.memory.arena.view(-1, shape.layers, 2, shape.kv_heads, PAGE, shape.head_dim)[:, number]

    def slots(self, pages: list[int], past: int, end: int) -> tuple[slice | torch.Tensor, np.ndarray]:
        """On the CPU: where the first `end` tokens of a sequence lie, and where those of them behind `past` do."""
        frames = self.memory.frame_of[pages].astype(np.int64)
        slots = (frames[:, None] * PAGE + np.arange(PAGE)).ravel()[:end]
        in_a_row = bool((np.diff(frames) == 1).all())
        return slice(int(slots[0]), int(slots[-1]) + 1) if in_a_row else torch.from_numpy(slots), slots[past:]

    def write(self, layer: int, slots: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        """On the CPU: (1, kv_heads, tokens, head_dim) both."""
        for own, new in zip(self._by_slot[layer], (keys, values), strict=True):
            own.index_copy_(2, slots, new)

    def read(self, layer: int, slots: slice | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """On the CPU: keys and values, (1, kv_heads, tokens, head_dim); a slice is not copied."""
        keys, values = self._by_slot[layer]
        return keys[:, :, slots], values[:, :, slots]

    @cached_property
    def _by_slot(self) -> list[tuple[torch.Tensor, ...]]:
        """For each layer, keys and values: (1, kv_heads, slots, head_dim)."""
        shape = self.shape
        tokens = self.memory.arena.view(-1, shape.layers, 2, shape.kv_heads, shape.head_dim)
        return [layer.split(1) for layer in tokens.permute(1, 2, 3, 0, 4)]
