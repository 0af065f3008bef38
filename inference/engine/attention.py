"""Attention over a packed batch: every sequence against its own cache, in one call of the model.
Knows transformers' attention interface. Knows nothing of adapters or scheduling."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface

from inference.engine import kernels
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
    query, key = query.to(value.dtype), key.to(value.dtype)  # turned in fp32, some models leave them in it
    query, key, value = (part[0].transpose(0, 1) for part in (query, key, value))  # (tokens, heads, head_dim)
    scale = scaling if scaling is not None else query.shape[2] ** -0.5
    layer: Any = module.layer_idx
    cache = batch.cache.layer(layer)
    assert batch.tensors is not None
    attend = kernels.on(query.device).attend
    return attend(query, key, value, cache, batch.tensors, scale=scale, window=sliding_window)[None], None


AttentionInterface.register(NAME, packed_attention)
