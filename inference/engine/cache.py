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
        return self._by_head[:, number]

    def extend(
        self, layer: int, pages: list[int], past: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """On the CPU: write new keys and values, (1, kv_heads, tokens, head_dim), behind the first `past` of a
        sequence; return all of them."""
        end = past + keys.shape[2]
        own = self._by_slot[layer]  # (2, kv_heads, slots, head_dim)
        frames = self.memory.frame_of[pages]
        if len(frames) == 1 or bool((frames[1:] - frames[:-1] == 1).all()):
            first = int(frames[0]) * PAGE
            own[0, :, first + past : first + end] = keys[0]
            own[1, :, first + past : first + end] = values[0]
            seen = own[:, :, first : first + end]
        else:
            slots = torch.from_numpy((frames[:, None].astype(np.int64) * PAGE + np.arange(PAGE)).ravel()[:end])
            own[0, :, slots[past:]] = keys[0]
            own[1, :, slots[past:]] = values[0]
            seen = own[:, :, slots]
        return seen[:1], seen[1:]

    @cached_property
    def _by_head(self) -> torch.Tensor:
        shape = self.shape
        return self.memory.arena.view(-1, shape.layers, 2, shape.kv_heads, PAGE, shape.head_dim)

    @cached_property
    def _by_slot(self) -> torch.Tensor:
        """(layers, 2, kv_heads, slots, head_dim)"""
        shape = self.shape
        tokens = self.memory.arena.view(-1, shape.layers, 2, shape.kv_heads, shape.head_dim)
        return tokens.permute(1, 2, 3, 0, 4)
