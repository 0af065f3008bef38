"""Next-token loss where labels are: the output layer runs on those positions only, a chunk at a time.
Knows hidden states and a frozen output layer. Knows nothing of adapters, text or optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from adapters.training.prompts import IGNORED

# 128 rows of a 128,000-word vocabulary in fp32 are 66 MB; whole windows would be gigabytes.
ROWS_AT_ONCE = 128


def decoder_of(model: nn.Module) -> nn.Module:
    """The part of a causal LM that turns ids into final hidden states."""
    decoder: nn.Module = model.get_decoder()  # type: ignore[operator]
    return decoder


def layers_of(model: nn.Module) -> nn.ModuleList:
    """Its layers."""
    layers: nn.ModuleList = decoder_of(model).layers  # type: ignore[assignment]
    return layers


def require_plain_output(model: nn.Module) -> None:
    """Raise ValueError for a model whose logits are more than its output layer applied to the hidden states."""
    ids = torch.arange(1, 9, device=next(model.parameters()).device)[None]  # (1, 8)
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits
        hidden = decoder_of(model)(input_ids=ids, use_cache=False).last_hidden_state
        plain = model.get_output_embeddings()(hidden)  # type: ignore[operator]
    if not torch.allclose(logits.float(), plain.float(), rtol=1e-2, atol=1e-2):
        raise ValueError(f"base model: {type(model).__name__} scales or caps its logits, so it cannot be trained on")


def pad(rows: Sequence[tuple[Sequence[int], Sequence[int]]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels of some rows, each (rows, longest), filled up on the right.

    A causal model needs no attention mask for that: nothing that counts comes after the filling.
    """
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full((len(rows), longest), IGNORED, dtype=torch.long)
    for row, (row_ids, row_labels) in enumerate(rows):
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        labels[row, : len(row_labels)] = torch.tensor(row_labels)
    return ids.to(device), labels.to(device)


def negative_log_likelihood(model: nn.Module, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Sum over all labelled tokens of -ln p(token), a scalar in fp32; `ids` and `labels` are (rows, tokens).

    Gradients flow into the hidden states only: the output layer is frozen.
    """
    hidden = decoder_of(model)(input_ids=ids, use_cache=False).last_hidden_state  # (rows, tokens, hidden)
    wanted = labels[:, 1:].reshape(-1)
    places = (wanted != IGNORED).nonzero().squeeze(1)
    before = hidden[:, :-1].reshape(-1, hidden.shape[-1])[places]  # (labelled, hidden)
    output = model.get_output_embeddings()  # type: ignore[operator]
    total: torch.Tensor = _OutputLoss.apply(before, output.weight, output.bias, wanted[places])  # type: ignore[no-untyped-call]
    return total


class _OutputLoss(torch.autograd.Function):
    """Output layer, softmax and cross entropy in one; keeps the gradient of the hidden states, no logits."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor
    ) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        for start in range(0, len(labels), ROWS_AT_ONCE):
            chunk = slice(start, start + ROWS_AT_ONCE)
            rows = labels[chunk, None]  # (chunk, 1)
            logits = nn.functional.linear(hidden[chunk].to(weight.dtype), weight, bias).float()  # (chunk, vocabulary)
            logits -= logits.amax(dim=1, keepdim=True)
            picked = logits.gather(1, rows).squeeze(1)
            scale = logits.exp_().sum(dim=1)
            total += (scale.log() - picked).sum()
            if gradient is not None:
                logits /= scale[:, None]  # now the probabilities
                logits.scatter_add_(1, rows, torch.full_like(rows, -1, dtype=logits.dtype))
                gradient[chunk] = (logits.to(weight.dtype) @ weight).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.to(gradient.dtype), None, None, None
