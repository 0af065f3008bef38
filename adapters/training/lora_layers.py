"""Linear layers with LoRA for several adapters at once: each part of a batch goes through its own.
Knows the products, forwards and backwards. Knows nothing of how weights came about or what is learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from adapters.training.bank import Plan, add_product, product
from adapters.training.layout import Group


class Adapted:
    """A model whose linear layers ask here which adapters to go through; `undo` gives it back as it was."""

    def __init__(self, model: nn.Module, groups: Sequence[Group]) -> None:
        self.plan: Plan | None = None
        self.anchor = torch.zeros((), device=next(model.parameters()).device, requires_grad=True)
        self._modules: list[nn.Module] = []
        for index, group in enumerate(groups):
            parent = model.get_submodule(group.parent)
            layers = [getattr(parent, name) for name in group.names]
            joined = _Joined(self, index, layers)
            for part, layer in enumerate(layers):
                layer.forward = joined.part(part)
                self._modules.append(layer)

    @contextmanager
    def using(self, plan: Plan | None) -> Iterator[None]:
        """Inside, calls of the model go through the plan's adapters; None is the base model alone."""
        before, self.plan = self.plan, plan
        try:
            yield
        finally:
            self.plan = before

    def undo(self) -> None:
        """Give every layer its own forward back."""
        for module in self._modules:
            del module.forward
        self._modules.clear()


class _Joined:
    """Layers that are handed the same input, computed by one product when the first of them is called."""

    def __init__(self, adapted: Adapted, group: int, layers: Sequence[Any]) -> None:
        self.adapted = adapted
        self.group = group
        self.layers = layers
        self.weight: torch.Tensor | None = None
        self.bias: torch.Tensor | None = None
        if not hasattr(layers[0].weight, "quant_state"):
            self.weight, self.bias = _join(layers)
        self.sizes = [int(layer.out_features) for layer in layers]
        self._input: torch.Tensor | None = None
        self._outputs: dict[int, torch.Tensor] = {}

    def part(self, number: int) -> Any:
        def forward(input: torch.Tensor) -> torch.Tensor:
            if input is not self._input or number not in self._outputs:
                self._input, self._outputs = input, dict(enumerate(self._compute(input)))
            output = self._outputs.pop(number)
            if not self._outputs:
                self._input = None
            return output

        return forward

    def dense(self) -> torch.Tensor:
        """The weight (all outputs, inputs); one of 4 bits is written out anew each time, and then forgotten."""
        return _dequantized(self.layers) if self.weight is None else self.weight

    def _compute(self, input: torch.Tensor) -> Sequence[torch.Tensor]:
        plan = self.adapted.plan
        if plan is None:
            return torch.split(nn.functional.linear(input, self.dense(), self.bias), self.sizes, dim=-1)
        found: tuple[torch.Tensor, ...] = _LoRALinear.apply(input, self.adapted.anchor, self, plan)  # type: ignore[no-untyped-call]
        return found


def _join(layers: Sequence[Any]) -> tuple[torch.Tensor, torch.Tensor | None]:
    # The layers' own weights become views of the joint one: no memory is held twice, and their values stay.
    if len(layers) == 1:
        bias = layers[0].bias
        return layers[0].weight.detach(), None if bias is None else bias.detach()
    weight = torch.cat([layer.weight.detach() for layer in layers])  # (all outputs, inputs)
    start = 0
    for layer in layers:
        layer.weight.data = weight[start : start + layer.out_features]
        start += layer.out_features
    if all(layer.bias is None for layer in layers):
        return weight, None
    zeros = [torch.zeros(layer.out_features, dtype=weight.dtype, device=weight.device) for layer in layers]
    return weight, torch.cat(
        [zero if layer.bias is None else layer.bias.detach() for layer, zero in zip(layers, zeros, strict=True)]
    )


def _dequantized(layers: Sequence[Any]) -> torch.Tensor:
    from bitsandbytes.functional import dequantize_4bit

    states = [layer.weight.quant_state for layer in layers]
    inputs, dtype = states[0].shape[1], states[0].dtype
    weight = torch.empty(sum(state.shape[0] for state in states), inputs, dtype=dtype, device=layers[0].weight.device)
    start = 0
    for layer, state in zip(layers, states, strict=True):
        dequantize_4bit(layer.weight.data, state, out=weight[start : start + state.shape[0]])
        start += state.shape[0]
    return weight


class _LoRALinear(torch.autograd.Function):
    """y = x W' + (x A') B for the layers of a group, W frozen; gradients of A and B go straight into the bank."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, anchor: torch.Tensor, joined: _Joined, plan: Plan
    ) -> tuple[torch.Tensor, ...]:
        y = nn.functional.linear(x, joined.dense(), joined.bias)  # (..., all outputs)
        inputs = x.reshape(plan.parts, -1, x.shape[-1])  # (parts, tokens, inputs)
        down = product(inputs, plan.a(joined.group).transpose(1, 2))  # (parts, tokens, layers x rank)
        add_product(y.view(plan.parts, -1, y.shape[-1]), down, plan.b(joined.group))
        ctx.save_for_backward(x, down)
        ctx.joined, ctx.plan = joined, plan
        return torch.split(y, joined.sizes, dim=-1)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor | None) -> tuple[torch.Tensor | None, None, None, None]:
        x, down = ctx.saved_tensors
        joined, plan = ctx.joined, ctx.plan
        dy = _side_by_side(upstream, joined.sizes, x)  # (..., all outputs)
        inputs = x.reshape(plan.parts, -1, x.shape[-1])
        outputs = dy.reshape(plan.parts, -1, dy.shape[-1])
        up = product(outputs, plan.b(joined.group).transpose(1, 2))  # (parts, tokens, layers x rank)
        plan.add_b(joined.group, down.transpose(1, 2), outputs)
        plan.add_a(joined.group, up.transpose(1, 2), inputs)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        dx = dy @ joined.dense()  # (..., inputs)
        add_product(dx.view(plan.parts, -1, dx.shape[-1]), up, plan.a(joined.group))
        return dx, None, None, None


def _side_by_side(parts: Sequence[torch.Tensor | None], sizes: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    """The parts as one tensor (..., all sizes); those that lie so already are not copied."""
    first = parts[0]
    if first is None or not _adjacent(parts, sizes):
        pairs = zip(parts, sizes, strict=True)
        return torch.cat([like.new_zeros(*like.shape[:-1], n) if part is None else part for part, n in pairs], -1)
    if len(parts) == 1:
        return first.contiguous()
    return first.as_strided((*first.shape[:-1], sum(sizes)), first.stride(), first.storage_offset())


def _adjacent(parts: Sequence[torch.Tensor | None], sizes: Sequence[int]) -> bool:
    first = parts[0]
    assert first is not None
    if len(parts) > 1 and first.stride()[-2:] != (sum(sizes), 1):
        return False
    at = first.storage_offset()
    for part, size in zip(parts, sizes, strict=True):
        if part is None or part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
            return False
        if part.stride() != first.stride() or part.storage_offset() != at:
            return False
        at += size
    return True
