"""Captured steps on a CPU: what a CUDA graph is to a GPU, as a list of calls on fixed memory.
Knows torch's operators and our kernels as calls. Knows nothing of what they compute."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_aten = torch.ops.aten
_MAKE_ROOM = {_aten.empty.memory_format, _aten.empty_strided.default, _aten.empty_like.default}
_WRITE_TO = {_aten.add.Tensor: _aten.add.out, _aten.mul.Tensor: _aten.mul.out}
_DEPENDENT = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
_now = threading.local()


class _CannotCapture(Exception):
    """What is to be recorded asks for a number, and would go another way for another one."""


class Room:
    """Memory that tapes share, as only one of them runs at a time: what each makes first lies in one place, and so on.

    The largest step comes first, since the others fit into what it needs.
    """

    def __init__(self) -> None:
        self._places: list[torch.Tensor] = []

    @property
    def nbytes(self) -> int:
        return sum(place.nbytes for place in self._places)

    def like(self, made: torch.Tensor, number: int) -> torch.Tensor:
        """As large as `made`, which is the `number`-th of its tape."""
        if not made.is_contiguous():
            return torch.empty_like(made)
        while number >= len(self._places):
            self._places.append(torch.empty(0, dtype=torch.uint8))
        if self._places[number].numel() < made.nbytes:
            self._places[number] = torch.empty(made.nbytes, dtype=torch.uint8)
        return self._places[number][: made.nbytes].view(made.dtype).view(made.shape)


class Tape:
    """`replay` does once more what was recorded, to the same tensors, without the Python in between."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []
        self.held: list[object] = []

    def replay(self) -> None:
        for call in self.calls:
            call()


def captured(work: Callable[[], None], room: Room) -> Tape | None:
    """Do the work and record it; None when it would do something else on other numbers."""
    tape = _now.tape = Tape()
    try:
        with _Recorder(tape, room):
            work()
    except _CannotCapture:
        return None
    finally:
        _now.tape = None
    return tape


def launch(kernel: Callable[..., None], *arguments: Any) -> None:
    """Call one of our kernels: no operator of torch, so a tape must be told."""
    kernel(*arguments)
    if (tape := getattr(_now, "tape", None)) is not None:
        tape.calls.append(partial(kernel, *arguments))


def looks_at_numbers() -> None:
    """Said before Python reads what lies in a tensor's memory, which no tape notices."""
    if getattr(_now, "tape", None) is not None:
        raise _CannotCapture


class _Recorder(TorchDispatchMode):
    def __init__(self, tape: Tape, room: Room) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tape = tape
        self._room = room
        self._made = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        call = partial(func, *args, **(kwargs or {}))
        if _asks_for_numbers(func, args):
            raise _CannotCapture
        out = call()
        outs = [each for each in tree_leaves(out) if isinstance(each, torch.Tensor)]
        if func._schema.is_mutable:
            self._tape.calls.append(call)
            return out
        if _are_views(outs, (args, kwargs)):
            self._tape.held.append(out)
            return out
        if len(outs) != 1 or outs[0] is not out:
            raise _CannotCapture
        kept = self._room.like(out, self._made)
        self._made += 1
        self._tape.held.append(kept)
        if func in _MAKE_ROOM:
            return kept
        kept.copy_(out)
        write_to = _WRITE_TO.get(func)
        self._tape.calls.append(partial(_again, kept, call) if write_to is None else partial(write_to, *args, out=kept))
        return kept


def _asks_for_numbers(func: Any, args: Any) -> bool:
    """Whether it gives a number to Python, or a tensor whose shape depends on numbers."""
    if not _DEPENDENT & {*func.tags}:
        return False
    # Indexing is marked for the sake of masks.
    return func is not _aten.index.Tensor or any(index is not None and index.dtype == torch.bool for index in args[1])


def _again(kept: torch.Tensor, call: Callable[[], torch.Tensor]) -> None:
    kept.copy_(call())


def _are_views(outs: list[torch.Tensor], inputs: object) -> bool:
    """Told by what came out: `reshape` and others only may give views."""
    plain = [each for each in tree_leaves(inputs) if isinstance(each, torch.Tensor) and not each.is_mkldnn]
    there = {each.untyped_storage().data_ptr() for each in plain}
    return all(out.untyped_storage().data_ptr() in there for out in outs)
