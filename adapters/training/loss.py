"""Next-token loss where labels are: the output layer runs on those places only, some at a time.
Knows hidden states and a frozen output layer. Knows nothing of adapters, text or optimizers."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from adapters.training.attention import causal
from adapters.training.batch import Batch

BYTES_AT_ONCE: Final = {"cpu": 1 << 25, "cuda": 1 << 28}
"""Of logits in fp32: 128,000 words take half a megabyte a token, whole windows would take gigabytes."""


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


def negative_log_likelihood(model: nn.Module, batch: Batch) -> torch.Tensor:
    """-ln p of each labelled token times its weight (labelled,), in fp32.

    Gradients flow into the hidden states only: the output layer is frozen. They are those of the sum, computed at
    once, so nothing else may be made of the result before its backward pass.
    """
    with causal(model):
        hidden = decoder_of(model)(input_ids=batch.ids, use_cache=False).last_hidden_state  # (rows, tokens, hidden)
    before = hidden.reshape(-1, hidden.shape[-1])[batch.places]  # (labelled, hidden)
    output = model.get_output_embeddings()  # type: ignore[operator]
    losses: torch.Tensor = _OutputLoss.apply(before, output.weight, output.bias, batch.labels, batch.weights)  # type: ignore[no-untyped-call]
    return losses


class _OutputLoss(torch.autograd.Function):
    """Output layer, softmax and cross entropy in one; keeps the gradient of the hidden states, no logits."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        labels: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        wanted = ctx.needs_input_grad[0]
        gradient = torch.empty_like(hidden) if wanted else None
        losses = []
        at_once = max(1, BYTES_AT_ONCE[hidden.device.type] // (4 * weight.shape[0]))
        for start in range(0, len(labels), at_once):
            chunk = slice(start, start + at_once)
            logits = nn.functional.linear(hidden[chunk], weight, bias)  # (chunk, vocabulary)
            loss, slope = _cross_entropy(logits, labels[chunk], weights[chunk], wanted)
            losses.append(loss)
            if gradient is not None and slope is not None:
                torch.mm(slope.to(weight.dtype), weight, out=gradient[chunk])
        ctx.save_for_backward(gradient)
        return torch.cat(losses)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient, None, None, None, None


def _cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, wanted: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weighted losses (rows,) and, if wanted, their slopes (rows, vocabulary) in the logits' dtype."""
    if logits.is_cuda:
        from adapters.training.kernels import cross_entropy

        return cross_entropy(logits, labels, weights, wanted)
    rows = labels[:, None]  # (rows, 1)
    logits = logits.float()
    logits -= logits.amax(dim=1, keepdim=True)
    picked = logits.gather(1, rows).squeeze(1)
    slope = logits.exp()
    total = slope.sum(dim=1)
    losses = (total.log() - picked) * weights
    if not wanted:
        return losses, None
    slope *= (weights / total)[:, None]
    slope.scatter_add_(1, rows, -weights[:, None])
    return losses, slope
