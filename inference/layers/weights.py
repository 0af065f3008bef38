"""The base model's weights on a CPU: laid out for its matrix units, in bf16 or rounded to 8 bits.
Knows oneDNN and FBGEMM through torch's operators. Knows nothing of batches, LoRA or files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn
from torch.nn.functional import linear
from transformers import PreTrainedModel

_SMALLEST = 1e-12
"""Stands in for the largest number of a row of zeros."""
_FEW = 8
"""Rows up to which FBGEMM's fp16 takes less time than oneDNN's bf16. A step's products with the starter model, what is
converted for them included: 25 ms and not 38 for one row, 40 and not 44 for eight; for 16 it is the other way round."""
_FEW_OF_8_BITS = 4
"""The same where weights have 8 bits: 18 ms for one row and 25 for four, and 38 for five."""
SIBLINGS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Layers of one parent that are handed the same input, in the order in which they are called."""


def has_onednn() -> bool:
    """Whether this build of torch can lay weights out anew."""
    return bool(torch.backends.mkldnn.is_available())


def has_fbgemm() -> bool:
    """Whether this build of torch, on this CPU, multiplies fp32 by fp16."""
    return "fbgemm" in torch.backends.quantized.supported_engines


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bf16: packed weights in it are then faster than fp32 at any batch size."""
    known = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return known and has_onednn()


def pack(model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
    """Lay the weights of all linear layers out as oneDNN multiplies by them fastest; in place.

    In the model's dtype these are the same numbers in as much memory. In a narrower `dtype` they are rounded to it, and
    so are the layers' inputs, while all else is computed as before: cache, norms and LoRA keep the model's. A head that
    shares its table with the embedding gets one of its own. In bf16, fp32 weights get a second copy for few rows, in
    fp16: both together take as much memory as they did.
    The model can be called, and no longer be trained, moved, copied or saved. Raises ValueError for a GPU's.
    """
    if not has_onednn():
        raise ValueError("dtype: this build of torch has no oneDNN, which packed weights need; float32 needs none")
    _replace_all(model, lambda weight, bias: PackedLinear(weight, bias, dtype or model.dtype))


def quantize(model: PreTrainedModel) -> None:
    """Round the weights of all linear layers to 8 bits, a scale for each output; in place.

    All else stays as it is, the table of embeddings too; a head that shares it gets one of its own.
    The model can be called, and no longer be trained, moved, copied or saved. Raises ValueError for another dtype than
    fp32 and for a GPU's model.
    """
    if model.dtype != torch.float32:
        raise ValueError(f"dtype: 8-bit weights are made from fp32, not {model.dtype}")
    _replace_all(model, Int8Linear)


class PackedLinear(nn.Linear):
    """A frozen linear layer whose weight lies in oneDNN's own order, opaque; what comes out is of the input's dtype.

    From fp32 to bf16 there is a second copy in fp16, in FBGEMM's order. It is for few rows: it takes and gives fp32, so
    nothing need be converted, a call costs less before it begins, and it keeps three bits more.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype) -> None:
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        self.dtype = dtype
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.to(dtype).contiguous())
        self.register_buffer("weight", packed)
        self.register_buffer("bias", None if bias is None else bias.to(dtype))
        narrowed = (weight.dtype, dtype) == (torch.float32, torch.bfloat16)
        fits = narrowed and has_fbgemm() and bool(weight.abs().max() <= torch.finfo(torch.float16).max)
        self.few = torch.ops.quantized.linear_prepack_fp16(weight.contiguous(), bias) if fits else None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        few_rows = input.numel() <= _FEW * self.in_features
        if few_rows and self.few is not None and input.dtype == torch.float32:
            exacter: torch.Tensor = torch.ops.quantized.linear_dynamic_fp16.default(input, self.few)
            return exacter
        narrow = input.to(self.dtype)
        out: torch.Tensor = torch.ops.mkldnn._linear_pointwise(narrow, self.weight, self.bias, "none", [], "")
        return out.to(input.dtype)


class Int8Linear(nn.Linear):
    """A frozen linear layer whose weights are whole numbers of 8 bits, with a scale for each output; inputs are bf16.

    For few rows the numbers are read as they are: 135 MB of the starter model's, and not 270. For many there is a copy
    in bf16, which holds the same numbers, where the CPU multiplies that; elsewhere they are widened at each call.
    """

    scale: torch.Tensor
    many: torch.Tensor | None

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        nn.Module.__init__(self)
        self.out_features, self.in_features = weight.shape
        scale = weight.abs().amax(dim=1).clamp_min_(_SMALLEST).div_(127).bfloat16()  # (out,)
        whole = (weight / scale[:, None]).round_().clamp_(-127, 127)
        self.register_buffer("weight", whole.to(torch.int8))
        self.register_buffer("scale", scale)
        packed = torch.ops.mkldnn._reorder_linear_weight(whole.bfloat16()) if multiplies_bf16() else None
        self.register_buffer("many", packed)
        self.register_buffer("bias", bias)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        narrow = input.to(torch.bfloat16, memory_format=torch.contiguous_format)
        # The operator reads past the end of rows of any other length.
        if input.numel() <= _FEW_OF_8_BITS * self.in_features and self.in_features % 32 == 0:
            rows = narrow.view(-1, self.in_features)
            few = torch.ops.aten._weight_int8pack_mm(rows, self.weight, self.scale).to(input.dtype)
            out: torch.Tensor = few.view(*input.shape[:-1], self.out_features)
        elif self.many is not None:
            out = torch.ops.mkldnn._linear_pointwise(narrow, self.many, None, "none", [], "").to(input.dtype)
            out *= self.scale
        else:
            out = linear(narrow.float(), self.weight.float()).to(input.dtype).mul_(self.scale)
        return out if self.bias is None else out.add_(self.bias)


class Joined:
    """One function of `sizes` outputs in all, in the place of several linear layers that are handed the same input.

    The first to be called computes all; the others find theirs waiting, as long as the input is the same tensor.
    """

    def __init__(self, forward: Callable[[torch.Tensor], torch.Tensor], sizes: Sequence[int]) -> None:
        self._forward = forward
        self.sizes = list(sizes)
        self._seen: torch.Tensor | None = None
        self._outs: dict[int, torch.Tensor] = {}

    def part(self, index: int, input: torch.Tensor) -> torch.Tensor:
        if input is not self._seen or index not in self._outs:
            outs = self._forward(input).split_with_sizes(self.sizes, dim=-1)  # torch.split takes thrice as long
            self._seen, self._outs = input, dict(enumerate(outs))
        out = self._outs.pop(index)
        if not self._outs:
            self._seen = None
        return out


class Part(nn.Linear):
    """One of several layers that became one; `weight` is that of all of them."""

    def __init__(self, whole: nn.Linear, joined: Joined, index: int, bias: torch.Tensor | None) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = whole.in_features, joined.sizes[index]
        self.register_buffer("weight", whole.weight)
        self.register_buffer("bias", bias)
        self.whole = (whole,)  # no module of this one, or it would be found as a layer of its own
        self.joined = joined
        self._index = index

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.joined.part(self._index, input)


def held_bytes(model: nn.Module) -> int:
    """Of all weights, each counted once. torch does not count a copy for few rows, which is no tensor."""
    layers = {module.whole[0] if isinstance(module, Part) else module for module in model.modules()}
    held = {weight for layer in layers for weight in (*layer.parameters(recurse=False), *layer.buffers(recurse=False))}
    copied = [layer.weight for layer in layers if isinstance(layer, PackedLinear) and layer.few is not None]
    return sum(weight.nbytes for weight in (*held, *copied))


Make = Callable[[torch.Tensor, torch.Tensor | None], nn.Linear]


@torch.no_grad()
def _replace_all(model: PreTrainedModel, make: Make) -> None:
    if model.device.type != "cpu":
        raise ValueError(f"device: weights are laid out anew for the CPU only, not for {model.device}")
    # Group by group: each old weight is gone before the next new one is made.
    for parent, names in list(_groups(model)):
        _replace(model.get_submodule(parent), names, make)


def _groups(model: nn.Module) -> Iterator[tuple[str, Sequence[str]]]:
    """Every linear layer once: its parent's name, and its own with those of its siblings."""
    for parent, module in model.named_modules():
        linear = {name: layer for name, layer in module.named_children() if isinstance(layer, nn.Linear)}
        for names in SIBLINGS:
            layers = [linear[name] for name in names if name in linear]
            alike = len({(layer.in_features, layer.bias is None) for layer in layers}) == 1
            if len(layers) == len(names) and alike:
                yield parent, names
                linear = {name: layer for name, layer in linear.items() if name not in names}
        for name in linear:
            yield parent, (name,)


def _replace(parent: nn.Module, names: Sequence[str], make: Make) -> None:
    layers = [getattr(parent, name) for name in names]
    weights, biases = [layer.weight.detach() for layer in layers], [layer.bias for layer in layers]
    weight = weights[0] if len(weights) == 1 else torch.cat(weights)
    bias = None if biases[0] is None else torch.cat([bias.detach() for bias in biases])
    new = make(weight, bias)
    if len(names) == 1:
        setattr(parent, names[0], new)
        return
    joined = Joined(new.forward, [layer.out_features for layer in layers])
    for index, (name, layer) in enumerate(zip(names, layers, strict=True)):
        setattr(parent, name, Part(new, joined, index, layer.bias))
