"""Key/value cache of all sequences: one tensor, cut into pages.
Knows its layout. Knows nothing of attention or of which page is whose."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from inference.engine.pages import PAGE


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


class KVPool:
    """Token `i` of a sequence lies in slot `pages[i // PAGE] * PAGE + i % PAGE` of every layer and head.

    Slots are the last but one dimension, so that pages which follow each other are one view for the CPU, and a page of
    one head is one contiguous block for the GPU.
    """

    def __init__(self, shape: CacheShape, pages: int) -> None:
        self.shape = shape
        # Not initialised: on the CPU the pages that are never written cost nothing. One more for page 0.
        self.tensor = torch.empty(
            (shape.layers, 2, shape.kv_heads, (pages + 1) * PAGE, shape.head_dim),
            dtype=shape.dtype,
            device=shape.device,
        )

    def extend(
        self, layer: int, pages: list[int], past: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write new keys and values, (1, kv_heads, tokens, head_dim), behind the first `past`; return all of them."""
        new = keys.shape[2]
        end = past + new
        own = self.tensor[layer]  # (2, kv_heads, slots, head_dim)
        if pages[-1] - pages[0] == len(pages) - 1:
            first = pages[0] * PAGE
            own[0, :, first + past : first + end] = keys[0]
            own[1, :, first + past : first + end] = values[0]
            seen = own[:, :, first : first + end]
        else:
            slots = self.slots(pages)[:end]
            own[0, :, slots[past:]] = keys[0]
            own[1, :, slots[past:]] = values[0]
            seen = own[:, :, slots]
        return seen[:1], seen[1:]

    def slots(self, pages: list[int]) -> torch.Tensor:
        """Slots of all tokens that fit into `pages`, in order."""
        first = torch.tensor(pages, device=self.shape.device)[:, None] * PAGE
        return (first + torch.arange(PAGE, device=self.shape.device)).flatten()
