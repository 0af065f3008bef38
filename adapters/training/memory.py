"""Memory: how many tokens a pass may have, and whether layers are computed twice to save room.
Knows what a GPU has free and what a token takes, by trying. Knows nothing of adapters or text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch.utils.checkpoint import checkpoint

from adapters.training.attention import causal
from adapters.training.loss import BYTES_AT_ONCE, decoder_of, layers_of

TOKENS_AT_ONCE_CPU: Final = 256
"""Two cores are busy with a single row."""
MOST_AT_ONCE: Final = 16_384
"""More does not make a GPU faster."""
WORTHWHILE: Final = 2_048
"""With room for fewer tokens than these a GPU is faster when it computes layers twice and takes more at once."""
SHARE_OF_FREE: Final = 0.85
"""The rest is for what the allocator wastes."""
_TRIAL: Final = 128
"""Tokens of the pass that shows what a token takes."""


class Memory:
    """The size of a pass on a model's device."""

    def __init__(self, model: Any, limit: int | None) -> None:
        """To be made while the model is called through an adapter: what a token takes is found out by trying."""
        self.checkpointing = False
        self.tokens_at_once = TOKENS_AT_ONCE_CPU
        self._device = model.device
        self._limit = limit
        self._layers = layers_of(model)
        self._most = MOST_AT_ONCE
        if self._device.type == "cuda":
            self._a_token, self._at_least = _bytes_a_token(model)
            self.look(0)

    def look(self, soon: int) -> None:
        """Choose anew, by what is free now less the bytes that will be held `soon`."""
        if self._device.type != "cuda":
            return
        room = SHARE_OF_FREE * (_free(self._device, self._limit) - 2 * BYTES_AT_ONCE["cuda"] - soon)
        fitting = int(room / (self._at_least if self.checkpointing else self._a_token))
        if fitting < WORTHWHILE and not self.checkpointing:
            self._compute_twice()
            fitting = int(room / self._at_least)
        self.tokens_at_once = max(1, min(self._most, fitting))

    def halve(self, longest: int) -> bool:
        """After a pass that did not fit: smaller ones from now on. False when they are as small as they can be."""
        torch.cuda.empty_cache()
        if self.tokens_at_once > longest:
            self.tokens_at_once = self._most = max(longest, self.tokens_at_once // 2)
            return True
        if self.checkpointing:
            return False
        self._compute_twice()
        return True

    def undo(self) -> None:
        """Give every layer its own forward back."""
        if self.checkpointing:
            for layer in self._layers:
                del layer.forward
            self.checkpointing = False

    def _compute_twice(self) -> None:
        self.checkpointing = True
        for layer in self._layers:
            layer.forward = _twice(layer.forward)


def _twice(forward: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*arguments, **named)
        return checkpoint(forward, *arguments, use_reentrant=False, preserve_rng_state=False, **named)

    return call


def _free(device: torch.device, limit: int | None) -> int:
    free, _ = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_allocated(device)
    free += torch.cuda.memory_reserved(device) - held  # what the allocator keeps for us
    return free if limit is None else min(free, limit - held)


def _bytes_a_token(model: Any) -> tuple[float, float]:
    """What a token's activations take when all are kept, and when only those between layers are."""
    config = model.config
    between = config.hidden_size * config.num_hidden_layers * model.dtype.itemsize
    ids = torch.zeros(1, _TRIAL, dtype=torch.long, device=model.device)
    decoder = decoder_of(model)
    anchor = torch.zeros((), dtype=model.dtype, device=model.device, requires_grad=True)
    embedded = model.get_input_embeddings()(ids) + anchor
    with causal(model):
        decoder(inputs_embeds=embedded, use_cache=False)  # the first call of a kernel takes memory of its own
        before = torch.cuda.memory_allocated(model.device)
        kept = decoder(inputs_embeds=embedded, use_cache=False)
    a_token = (torch.cuda.memory_allocated(model.device) - before) / _TRIAL
    del kept
    return a_token, between + a_token / config.num_hidden_layers
