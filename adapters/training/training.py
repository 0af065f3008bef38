"""Training: what the training of one voice needs, and what comes of it.
Knows the shapes alone. Knows nothing of how it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.training.assessment import Assessment
from adapters.training.dataset import DataSet
from adapters.training.events import OnEvent
from adapters.training.recipe import Recipe
from adapters.training.stopping import ShouldStop


@dataclass(frozen=True, kw_only=True)
class Training:
    """What one voice's training needs."""

    data: DataSet
    """What it learns from and is measured on."""
    recipe: Recipe
    """How."""
    on_event: OnEvent
    """Is told what happens."""
    should_stop: ShouldStop
    """Asked often; true means: leave a checkpoint and end."""
    out: Path
    """Folder for the finished adapter's files."""
    base_name: str | None = None
    """What the adapter's configuration calls the base model; by default its folder's name."""
    sample_briefs: Sequence[str] = ()
    """To each of them a short text is written at every evaluation."""
    checkpoint: Path | None = None
    """Folder of the checkpoint; training goes on from one that lies there."""
    texts: int = 0
    """How many texts the finished voice, and as many the base model, write to be compared; 0 compares without."""
    others: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Other writers' texts, for the judges of style to choose from."""
    other_voice: Path | None = None
    """Another author's adapter on the same base, to compare with."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished voice."""

    folder: Path
    """Where adapter_config.json and adapter_model.safetensors lie."""
    bits_per_byte: float
    """Of the voice on the held-out posts; the stored weights are the best measured."""
    base_bits_per_byte: float
    """Of the base model on the same."""
    rank: int
    """Of the adapter."""
    bytes: int
    """Size of both files."""
    learning_rate: float
    """The candidate's that won."""
    step: int
    """After which step the stored weights were measured."""
    steps: int
    """Steps made in all."""
    assessment: Assessment
    """How good it is, measured when it was finished."""
    seconds: float
    """From the first measurement to the last file, interruptions left out."""
