"""Failures of training: what went wrong, whose fault it is, and what to do about it.
Knows one table of exceptions and sentences. Knows nothing of processes or pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch

from adapters.training.learner import Diverged


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Fields of the event that ends a failed job."""

    error: str
    """Id of the kind of failure."""
    message: str
    """A sentence or two for the author: what to do."""
    infrastructure: bool
    """Whether the same job may well succeed another time; False when the input has to change."""
    detail: str
    """For the operator."""


# The first row whose type fits counts. `{error}` is what the exception says.
_TABLE: Final[tuple[tuple[tuple[type[Exception], ...], str, bool, str], ...]] = (
    (
        (Diverged,),
        "training.diverged",
        False,
        "Training went wrong: its numbers grew without bound. Try again with a lower learning rate.",
    ),
    (
        (MemoryError, torch.OutOfMemoryError),
        "training.out_of_memory",
        True,
        "There was not enough memory to train. Try again when the machine is less busy.",
    ),
    ((KeyError, IndexError), "training.crashed", True, ""),
    ((LookupError,), "training.no_base_model", True, "The base model is not installed: {error}."),
    (
        (OSError,),
        "training.disk",
        True,
        "A file could not be read or written: {error}. Make sure that the disk has room, then train again.",
    ),
    ((ValueError,), "training.bad_input", False, "This cannot be trained: {error}."),
)
_CRASHED: Final = (
    "Training stopped because of a fault in the program. Train again; if it happens again, tell the operator."
)


def explain(error: Exception) -> Failure:
    """What to tell about `error`."""
    detail = f"{type(error).__name__}: {error}"
    for types, id, infrastructure, message in _TABLE:
        if isinstance(error, types):
            said = message.format(error=error) or _CRASHED
            return Failure(error=id, message=said, infrastructure=infrastructure, detail=detail)
    return Failure(error="training.crashed", message=_CRASHED, infrastructure=True, detail=detail)
