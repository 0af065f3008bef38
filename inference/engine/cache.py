"""Key/value cache of one sequence, contiguous, sized once for all the tokens it may ever hold.
Knows tensors' layout. Knows nothing of attention masks or of other sequences."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, kw_only=True)
class CacheShape:
    """What one token costs."""

    layers: int
    kv_heads: int
    head_dim: int
    dtype: torch.dtype
    device: torch.device

    @property
    def bytes_per_token(self) -> int:
        return 2 * self.layers * self.kv_heads * self.head_dim * self.dtype.itemsize


class KVCache:
    """Keys and values of every layer; `length` counts the tokens that all layers hold."""

    def __init__(self, shape: CacheShape, capacity: int) -> None:
        # Not initialised: on the CPU the pages that are never written cost nothing.
        self._tensor = torch.empty(
            (shape.layers, 2, 1, shape.kv_heads, capacity, shape.head_dim), dtype=shape.dtype, device=shape.device
        )
        self.length = 0

    def extend(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, (1, kv_heads, tokens, head_dim), behind `length`; return all of this layer's.

        `length` itself moves by `advance`, when every layer has been written.
        """
        end = self.length + keys.shape[2]
        self._tensor[layer, 0, :, :, self.length : end] = keys
        self._tensor[layer, 1, :, :, self.length : end] = values
        return self._tensor[layer, 0, :, :, :end], self._tensor[layer, 1, :, :, :end]

    def advance(self, tokens: int) -> None:
        self.length += tokens
