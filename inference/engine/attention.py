"""Attention over a packed batch: every sequence against its own cache, in one call of the model.
Knows transformers' attention interface. Knows nothing of adapters or scheduling."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from inference.engine.batch import PackedBatch

NAME = "idiolect_packed"
"""What `config._attn_implementation` says while an engine owns the model."""


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    batch: PackedBatch,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Called by the model's attention layers in place of their own; `batch` travels through the model's kwargs.

    query is (1, heads, tokens, head_dim), key and value are (1, kv_heads, tokens, head_dim), tokens being those of all
    sequences of the step. Returns (1, tokens, heads, head_dim). Sequences never see each other's tokens.
    Raises ValueError for what scaled dot product attention cannot do.
    """
    if softcap is not None or s_aux is not None:
        raise ValueError("attention with soft caps or sinks is not supported")
    heads, kv_heads, head_dim = query.shape[1], key.shape[1], query.shape[3]
    query, key = query.to(value.dtype), key.to(value.dtype)  # turned in fp32, some models leave them in it
    layer: Any = module.layer_idx
    if batch.tensors is not None:
        from inference.kernels import attention  # Triton comes with CUDA, and machines without need none

        query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))  # (tokens, heads, head_dim)
        scale = scaling if scaling is not None else head_dim**-0.5
        cache = batch.cache.layer(layer)
        found = attention.attend(query, key, value, cache, batch.tensors, scale=scale, window=sliding_window)
        return found[None], None
    held, new = batch.slots
    batch.cache.write(layer, new, key, value)
    seen = []
    for index, (part, slots) in enumerate(zip(query.split_with_sizes(batch.counts, dim=2), held, strict=True)):
        keys, values = batch.cache.read(layer, slots)
        # The heads that share a key head become rows of one query, so that keys and values are not repeated.
        grouped = part.reshape(1, kv_heads, -1, head_dim)  # (1, kv_heads, groups * count, head_dim)
        count = part.shape[2]
        # One query token sees all its keys, so decoding needs no mask.
        mask = batch.mask(index, sliding_window, heads // kv_heads, query.device) if count > 1 else None
        if mask is None and sliding_window is not None:
            keys, values = keys[:, :, -sliding_window:], values[:, :, -sliding_window:]
        found = scaled_dot_product_attention(grouped, keys, values, attn_mask=mask, scale=scaling)
        seen.append(found.reshape(1, heads, count, head_dim).transpose(1, 2))
    return torch.cat(seen, dim=1) if len(seen) > 1 else seen[0], None


AttentionInterface.register(NAME, packed_attention)
