"""Attention within rows that are filled up on the right: causal, and never a mask that is larger than the rows.
Knows transformers' attention interface. Knows nothing of adapters or generation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME: Final = "idiolect_causal"


def causal_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """query is (rows, heads, tokens, head_dim), key and value are (rows, kv_heads, tokens, head_dim).

    Returns (rows, tokens, heads, head_dim). transformers' own would look at the positions' values for packed rows, for
    which a GPU has to be waited for. Raises ValueError for what scaled dot product attention cannot do.
    """
    if softcap is not None or s_aux is not None:
        raise ValueError("base model: attention with soft caps or sinks cannot be trained on")
    tokens = query.shape[2]
    mask = None
    if sliding_window is not None and tokens > sliding_window:
        place = torch.arange(tokens, device=query.device)
        distance = place[:, None] - place  # (tokens, tokens)
        mask = (distance >= 0) & (distance < sliding_window)
    grouped = query.shape[1] != key.shape[1]
    seen = scaled_dot_product_attention(
        query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling, enable_gqa=grouped
    )
    return seen.transpose(1, 2), None


@contextmanager
def causal(model: Any) -> Iterator[None]:
    """Inside, `model` is called without cache and attention mask, on rows that are filled up on the right."""
    own = model.config._attn_implementation
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(own)


AttentionInterface.register(NAME, causal_attention)
