"""The base model's weights on a CPU: laid out for its matrix units, or rounded to 8 bits.
Knows oneDNN through torch's operators. Knows nothing of batches, LoRA or files."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from transformers import PreTrainedModel

_ZERO_POINT = 128
_SMALLEST = 1e-12
"""Stands in for the largest number of a row of zeros."""


def pack(model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
    """Lay the weights of all linear layers out as oneDNN multiplies by them fastest; in place.

    In the model's dtype these are the same numbers in as much memory. In a narrower `dtype` they are rounded to it, and
    so are the layers' inputs, while all else is computed as before: cache, norms and LoRA keep the model's. A head that
    shares its table with the embedding gets one of its own.
    The model can be called, and no longer be trained, moved, copied or saved. Raises ValueError for a GPU's.
    """
    _replace_all(model, lambda layer: PackedLinear(layer, dtype or model.dtype))


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bf16: packed weights in it are then faster than fp32 at any batch size."""
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def quantize(model: PreTrainedModel) -> None:
    """Round the weights of all linear layers to 8 bits, a scale for each output; in place.

    All else stays as it is, the table of embeddings too; a head that shares it gets one of its own.
    The model can be called, and no longer be trained, moved, copied or saved. Raises ValueError for another dtype than
    fp32, for a GPU's model, and for a CPU that cannot add up products of 8 bits without loss.
    """
    if model.dtype != torch.float32:
        raise ValueError(f"dtype: 8-bit weights are made from fp32, not {model.dtype}")
    if not torch.cpu._is_vnni_supported():
        raise ValueError("dtype: this CPU has no VNNI instructions, which 8-bit weights need; float32 works everywhere")
    _replace_all(model, Int8Linear)


class PackedLinear(nn.Linear):
    """A frozen linear layer whose weight lies in oneDNN's own order, opaque; what comes out is of the input's dtype."""

    def __init__(self, base: nn.Linear, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = base.in_features, base.out_features
        self.dtype = dtype
        weight = base.weight.detach().to(dtype).contiguous()  # (out, in)
        self.register_buffer("weight", torch.ops.mkldnn._reorder_linear_weight(weight))
        self.register_buffer("bias", None if base.bias is None else base.bias.detach().to(dtype))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        narrow = input.to(self.dtype)
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(narrow, self.weight, self.bias, "none", [], "")
        return out.to(input.dtype)


class Int8Linear(nn.Linear):
    """A frozen linear layer in 8 bits: weights symmetric with a scale for each output, inputs rounded row by row.

    A row's result is the same whatever rows it is computed with: products of 8 bits are added up without rounding.
    """

    scale: torch.Tensor
    zeros: torch.Tensor

    def __init__(self, base: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = base.in_features, base.out_features
        weight = base.weight.detach()  # (out, in)
        scale = weight.abs().amax(dim=1).clamp_min_(_SMALLEST).div_(127)  # (out,)
        rounded = (weight / scale[:, None]).round_().to(torch.int8)
        self.register_buffer("weight", torch.ops.onednn.qlinear_prepack(rounded, None))
        self.register_buffer("scale", scale)
        self.register_buffer("zeros", torch.zeros_like(scale, dtype=torch.int32))
        self.register_buffer("bias", None if base.bias is None else base.bias.detach())

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        step = input.abs().amax(dim=-1, keepdim=True).clamp_min_(_SMALLEST).mul_(1 / 127)  # (..., 1)
        # Unsigned around a zero point: that is what the instructions multiply by signed weights.
        rounded = (input / step).round_().add_(_ZERO_POINT).to(torch.uint8)
        out: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            *(rounded, 1.0, _ZERO_POINT),
            *(self.weight, self.scale, self.zeros, None),
            *(1.0, 0, torch.float32, "none", [], ""),
        )
        out *= step
        return out if self.bias is None else out.add_(self.bias)


@torch.no_grad()
def _replace_all(model: PreTrainedModel, make: Callable[[nn.Linear], nn.Linear]) -> None:
    if model.device.type != "cpu":
        raise ValueError(f"device: weights are laid out anew for the CPU only, not for {model.device}")
    # By name and one by one: each old weight is gone before the next new one is made.
    for name in [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]:
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        parent, _, own = name.rpartition(".")
        setattr(model.get_submodule(parent), own, make(layer))
