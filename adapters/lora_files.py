"""Adapter files: PEFT's layout, checked against the base model before any weight is read.
Knows safetensors and PEFT's configuration. Knows nothing of which adapters are resident."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from adapters.store import CONFIG, WEIGHTS, read_manifest

_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
_DTYPES = ("F32", "BF16", "F16")
_SERIAL = 32_767
"""Values that torch works on in the thread that asks. More of them it spreads over threads, which on busy cores costs
many times what it brings."""

# What PEFT can do and this engine, like every engine that shares one frozen base, cannot: field -> harmless values.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "lora_bias": (False, None),
    "use_dora": (False, None),
    "fan_in_fan_out": (False, None),
    "modules_to_save": (None, []),
    "rank_pattern": ({}, None),
    "alpha_pattern": ({}, None),
    "trainable_token_indices": (None, [], {}),
    "target_parameters": (None, []),
    "layer_replication": (None, []),
}


class AdapterRejected(ValueError):
    """The adapter cannot be served on this base model; the message names the adapter and the reason."""

    def __init__(self, digest: str, reason: str) -> None:
        super().__init__(f"adapter {digest} is refused: {reason}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """Where the modules lie in a block. Adapters of the same modules share one, whatever their ranks."""

    number: int
    """Counts the layouts of one engine."""
    starts: dict[str, int]
    """Module name -> where its A begins, and B behind it, in values per rank."""
    shapes: Mapping[str, tuple[int, int]]
    """Module name -> (in, out)."""
    size: int
    """Values per rank of all modules."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Adapter:
    """Weights of one adapter, ready to multiply, as one block: a copy to the device is one copy.

    The scale alpha / rank is folded into B. Zeros fill the rank up to a multiple of 8, so that every row is aligned.
    """

    digest: str
    rank: int
    scale: float
    layout: Layout
    block: torch.Tensor
    """(padded * layout.size,): module after module, A (padded, in) and then B (out, padded)."""

    @property
    def padded(self) -> int:
        return padded(self.rank)

    @property
    def bytes(self) -> int:
        return self.block.nbytes

    def pair(self, module: str) -> tuple[torch.Tensor, torch.Tensor] | None:
        """A (padded, in) and B (out, padded), or None when the adapter leaves the module alone."""
        start = self.layout.starts.get(module)
        if start is None:
            return None
        inputs, outputs = self.layout.shapes[module]
        rank = self.padded
        first, second, end = (rank * place for place in (start, start + inputs, start + inputs + outputs))
        return self.block[first:second].view(rank, inputs), self.block[second:end].view(outputs, rank)


@dataclass(frozen=True, kw_only=True, eq=False)
class Checked:
    """An adapter of which all has been checked that can be told without reading a weight."""

    digest: str
    folder: Path
    rank: int
    scale: float
    """alpha / rank, or what stands for it."""
    layout: Layout

    @property
    def values(self) -> int:
        """Of its block."""
        return padded(self.rank) * self.layout.size

    def in_block(self, block: torch.Tensor) -> Adapter:
        """With weights that are, or will be, there."""
        return Adapter(digest=self.digest, rank=self.rank, scale=self.scale, layout=self.layout, block=block)


def padded(rank: int) -> int:
    return -(-rank // 8) * 8


@dataclass(frozen=True, kw_only=True)
class Target:
    """What adapters must fit."""

    base_digest: str
    """The base model's own digest."""
    modules: Mapping[str, tuple[int, int]]
    """Module name -> (in, out) of every linear layer that may carry LoRA."""
    max_rank: int
    """Largest rank accepted."""
    dtype: torch.dtype
    """Of the weights in memory."""
    _layouts: dict[tuple[str, ...], Layout] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def layout(self, found: Collection[str]) -> Layout:
        """The one layout of adapters for just these modules."""
        names = tuple(name for name in self.modules if name in found)
        if (known := self._layouts.get(names)) is not None:
            return known
        ends = list(itertools.accumulate(sum(self.modules[name]) for name in names))
        layout = Layout(
            number=next(self._numbers),
            starts=dict(zip(names, [0, *ends], strict=False)),
            shapes=self.modules,
            size=ends[-1],
        )
        return self._layouts.setdefault(names, layout)  # adapters are read in any thread


def check(digest: str, folder: Path, target: Target) -> Checked:
    """Check configuration, manifest and the weights' header of the adapter in `folder`, which the store has verified
    against its digest. Raises AdapterRejected with the reason."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        base = (read_manifest(folder).get("base_model") or {}).get("digest")
        rank, scale = _check_config(config, target.max_rank)
        if base != target.base_digest:
            raise ValueError(f"it was trained on the base model {base}, and this one is {target.base_digest}")
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            modules = _check_header(file, config, rank, target)
    except (SafetensorError, OSError, ValueError, AttributeError, TypeError) as error:
        # Attribute and type errors come from JSON of another shape than PEFT writes.
        raise AdapterRejected(digest, str(error)) from error
    return Checked(digest=digest, folder=folder, rank=rank, scale=scale, layout=target.layout(modules))


def read(checked: Checked, block: torch.Tensor) -> Adapter:
    """Read the weights into `block`, (checked.values,) in host memory. Raises AdapterRejected."""
    try:
        with safe_open(checked.folder / WEIGHTS, framework="pt") as file:
            return _read_block(file, checked, block)
    except (SafetensorError, OSError, ValueError) as error:
        raise AdapterRejected(checked.digest, str(error)) from error


def _check_config(config: dict[str, Any], max_rank: int) -> tuple[int, float]:
    """Rank and scale."""
    for name, harmless in _PLAIN.items():
        if name in config and config[name] not in harmless:
            raise ValueError(f"{name} is {config[name]!r}; only plain LoRA without trained base weights can be shared")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or not 1 <= rank <= max_rank:
        raise ValueError(f"r must be between 1 and {max_rank}, not {rank!r}")
    if not isinstance(alpha, int | float) or not math.isfinite(alpha):
        raise ValueError(f"lora_alpha must be a number, not {alpha!r}")
    return rank, alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _check_header(file: Any, config: dict[str, Any], rank: int, target: Target) -> Collection[str]:
    """Shapes and names against the model, from the header alone; the modules that it has weights for."""
    sides: dict[str, set[str]] = {}
    for key in file.keys():  # noqa: SIM118  (not a mapping)
        match = _KEY.fullmatch(key)
        if match is None or match["module"] not in target.modules:
            raise ValueError(f"tensor {key} belongs to no linear layer of the base model")
        inputs, outputs = target.modules[match["module"]]
        expected = [rank, inputs] if match["side"] == "A" else [outputs, rank]
        part = file.get_slice(key)
        if part.get_shape() != expected:
            raise ValueError(f"tensor {key} has the shape {part.get_shape()}, and the base model needs {expected}")
        if part.get_dtype() not in _DTYPES:
            raise ValueError(f"tensor {key} is {part.get_dtype()}; it must be one of {', '.join(_DTYPES)}")
        sides.setdefault(match["module"], set()).add(match["side"])
    if not sides:
        raise ValueError("it holds no LoRA weights")
    if half := next((module for module, found in sides.items() if len(found) < 2), None):
        raise ValueError(f"{half} has only one of lora_A and lora_B")
    named = config.get("target_modules")
    if isinstance(named, list) and not config.get("layers_to_transform") and not config.get("exclude_modules"):
        promised = {m for m in target.modules if any(m == name or m.endswith(f".{name}") for name in named)}
        if missing := sorted(promised - sides.keys()):
            raise ValueError(f"its weights lack {len(missing)} modules of target_modules, the first is {missing[0]}")
    return sides.keys()


def _read_block(file: Any, checked: Checked, block: torch.Tensor) -> Adapter:
    adapter = checked.in_block(block)
    keys = file.keys()
    # Nobody may find in a part that is not written what lay in this memory before.
    if len(keys) != 2 * len(checked.layout.starts):
        raise ValueError(f"it has {len(keys)} tensors, and had another number when it was checked")
    if checked.rank != adapter.padded:
        block.zero_()
    for key in keys:
        match = _KEY.fullmatch(key)
        pair = adapter.pair(match["module"]) if match is not None else None
        weight = file.get_tensor(key)
        if match is None or pair is None:
            raise ValueError(f"tensor {key} was not there when it was checked")
        first = match["side"] == "A"
        into = pair[0][: checked.rank] if first else pair[1][:, : checked.rank]
        if weight.shape != into.shape:
            raise ValueError(f"tensor {key} had another shape when it was checked")
        rows = max(1, _SERIAL // weight.shape[1])
        for part, room in zip(torch.split(weight, rows), torch.split(into, rows), strict=True):
            # NaN comes through both. Many times faster than asking each number whether it is finite.
            if not all(math.isfinite(bound.item()) for bound in part.aminmax()):
                raise ValueError(f"tensor {key} holds values that are not finite")
            if first:
                room.copy_(part)
            elif part.dtype == room.dtype:
                torch.mul(part, checked.scale, out=room)  # in fp32 and rounded once, also for bf16
            else:
                room.copy_(part.float() * checked.scale)
    return adapter
