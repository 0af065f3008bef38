"""Fuses the elementwise parts of a transformers model: RMSNorm, gated activations and rotary embedding.
Knows how to find out what a module computes, and to give it back. Knows nothing of batches or LoRA."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType, MethodType, SimpleNamespace
from typing import Any, Protocol

import torch
from torch import nn
from transformers import PreTrainedModel

from inference.layers import differentiable

Forward = Callable[..., Any]

_ROTARY = "apply_rotary_pos_emb"
"""What transformers' modeling files call rotary embedding: a function of their module."""

_NORMS = (
    {"plus_one": False, "round_first": True},  # Llama, Qwen, Mistral
    {"plus_one": True, "round_first": False},  # Gemma
    {"plus_one": False, "round_first": False},  # OLMo
)


class Elementwise(Protocol):
    """What fused modules call; `inference.kernels.elementwise` says what each computes."""

    def rms_norm(
        self, weight: torch.Tensor, eps: float, *, plus_one: bool, round_first: bool
    ) -> Callable[[torch.Tensor], torch.Tensor]: ...

    def act_mul(self, gate: torch.Tensor, up: torch.Tensor, *, tanh: bool) -> torch.Tensor: ...

    def rotary(
        self, q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *, back: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]: ...

    def rms_norm_gradient(
        self, weight: torch.Tensor, eps: float, *, plus_one: bool
    ) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]: ...

    def act_mul_gradients(
        self, gate: torch.Tensor, up: torch.Tensor, upstream: torch.Tensor, *, tanh: bool
    ) -> tuple[torch.Tensor, torch.Tensor]: ...


@dataclass
class Fused:
    """The modules that have a forward of ours, beside their class's."""

    modules: list[nn.Module] = field(default_factory=list)

    def undo(self) -> None:
        """Give every module its own forward back."""
        for module in self.modules:
            del module.forward
        self.modules.clear()


@torch.no_grad()
def fuse(model: PreTrainedModel, parts: Elementwise, *, narrowing: bool = False) -> Fused:
    """Take over every norm, gated MLP and attention layer that on random input computes what `parts` would: Triton's
    kernels on a GPU, Numba's on a CPU, or as few of torch's operators as will do.

    All others stay as they are. Gradients are those of the inputs; the model's own weights are taken for frozen. Only
    instances change, no class and no module of transformers. With `narrowing`, a norm that is handed fp32 gives its
    weight's dtype nevertheless, and cosines in fp32 leave queries and keys in theirs.
    """
    fused = Fused()
    like = torch.empty(0, dtype=model.dtype, device=model.device)
    # Once a class, not once a layer.
    rotary = functools.cache(functools.partial(_with_fused_rotary, parts=parts, like=like, narrowing=narrowing))
    for module in model.modules():
        if "forward" in vars(module):
            continue  # somebody else's hook
        forward = _norm(module, parts, narrowing) or _mlp(module, parts, like) or _attention(module, rotary)
        if forward is not None:
            module.forward = forward
            fused.modules.append(module)
    return fused


def _norm(module: nn.Module, parts: Elementwise, narrowing: bool) -> Forward | None:
    weight = getattr(module, "weight", None)
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if not (type(module).__name__.endswith("RMSNorm") and _takes_one(module)):
        return None
    if not isinstance(eps, float) or not isinstance(weight, nn.Parameter) or weight.dim() != 1:
        return None
    own: Forward = module.forward
    # Off zero, where a mean would show, and with rows so small that epsilon counts.
    probe = (_random(8, len(weight)) + 0.5) * torch.logspace(-4, 1, 8)[:, None]
    probe = probe.to(weight)
    expected = _ask(own, probe)
    candidates = ((parts.rms_norm(weight, eps, **norm), norm["plus_one"]) for norm in _NORMS)
    fused, plus_one = next((found for found in candidates if _same(found[0](probe), expected)), (None, False))
    if fused is None:
        return None
    gradient = parts.rms_norm_gradient(weight.detach(), eps, plus_one=plus_one)
    dtypes = {weight.dtype, torch.float32} if narrowing else {weight.dtype}

    def forward(hidden: torch.Tensor) -> Any:
        if hidden.dtype not in dtypes or hidden.stride(-1) != 1:
            return own(hidden)
        if torch.is_grad_enabled():
            return differentiable.RMSNorm.apply(hidden, fused, gradient)  # type: ignore[no-untyped-call]
        return fused(hidden)

    return forward


def _mlp(module: nn.Module, parts: Elementwise, like: torch.Tensor) -> Forward | None:
    inner = [getattr(module, name, None) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")]
    if not all(map(callable, inner)) or not _takes_one(module):
        return None

    def matches(tanh: bool, dtype: torch.dtype) -> bool:
        # The class's own forward among projections whose outputs we know: it shows all that happens between them.
        gate, up, hidden = (_random(3, 4, 64) * 3).to(like.device, dtype)
        stand_in = SimpleNamespace(
            gate_proj=lambda _: gate, up_proj=lambda _: up, down_proj=lambda product: product, act_fn=module.act_fn
        )
        return _same(parts.act_mul(gate, up, tanh=tanh), _ask(type(module).forward, stand_in, hidden))

    # In fp32 too: after rounding to bf16 the two forms of GELU hardly differ.
    dtypes = {torch.float32, like.dtype}
    tanh = next((tanh for tanh in (False, True) if all(matches(tanh, dtype) for dtype in dtypes)), None)
    if tanh is None:
        return None

    def forward(hidden: torch.Tensor) -> Any:
        # Asked for each time: LoRA's layers may come and go.
        gate, up, down = module.gate_proj, module.up_proj, module.down_proj
        both = gate(hidden), up(hidden)  # type: ignore[operator]
        if torch.is_grad_enabled():
            return down(differentiable.ActMul.apply(*both, tanh, parts))  # type: ignore[no-untyped-call,operator]
        return down(parts.act_mul(*both, tanh=tanh))  # type: ignore[operator]

    return forward


def _attention(module: nn.Module, rotary: Callable[[FunctionType], FunctionType | None]) -> Forward | None:
    function = type(module).forward
    if not isinstance(function, FunctionType) or _ROTARY not in function.__code__.co_names:
        return None
    fused = rotary(function)
    return None if fused is None else MethodType(fused, module)


def _with_fused_rotary(
    function: FunctionType, parts: Elementwise, like: torch.Tensor, narrowing: bool
) -> FunctionType | None:
    """An attention layer's forward that sees another `apply_rotary_pos_emb`, if we can compute that one."""
    own: Forward | None = function.__globals__.get(_ROTARY)
    if own is None:
        return None
    q, k = torch.split(_random(1, 5, 3, 64).to(like).transpose(1, 2), [2, 1], dim=1)  # (1, heads, 5, 64)
    cos, sin = _random(2, 1, 5, 64).to(like)
    expected = _ask(own, q, k, cos, sin)
    if not isinstance(expected, tuple) or not all(map(_same, parts.rotary(q, k, cos, sin), expected)):
        return None

    def rotary(q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, *rest: Any, **named: Any) -> Any:
        fits = cos.dtype == q.dtype or (narrowing and cos.dtype == torch.float32)
        plain = cos.shape == (1, *q.shape[2:]) and fits and not rest and not named
        contiguous = q.stride(3) == k.stride(3) == cos.stride(2) == sin.stride(2) == 1
        if plain and contiguous and torch.is_grad_enabled():
            return differentiable.Rotary.apply(q, k, cos, sin, parts)  # type: ignore[no-untyped-call]
        if plain and contiguous and len(q) == 1:
            return parts.rotary(q, k, cos, sin)
        return own(q, k, cos, sin, *rest, **named)

    names = {**function.__globals__, _ROTARY: rotary}
    fused = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    fused.__kwdefaults__ = function.__kwdefaults__
    functools.update_wrapper(fused, function)
    return fused


def _takes_one(module: nn.Module) -> bool:
    return len(inspect.signature(module.forward).parameters) == 1


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _ask(function: Forward, *arguments: Any) -> Any:
    """What it answers, or None if these are not its arguments or not all that it needs."""
    try:
        return function(*arguments)
    except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
        return None


def _same(found: torch.Tensor, expected: Any) -> bool:
    """Equal but for a rare rounding the other way: a rounding more or less in every number is another formula."""
    if not isinstance(expected, torch.Tensor) or (found.shape, found.dtype) != (expected.shape, expected.dtype):
        return False
    off = (found.double() - expected.double()).norm() / expected.double().norm()
    return bool(off < max(torch.finfo(found.dtype).eps / 16, 1e-6))
