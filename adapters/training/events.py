"""What training tells while it runs: one frozen record per kind of event.
Knows their fields, which are also those on the wire. Knows nothing of who listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The data set is built; training is about to start."""

    kind: ClassVar = "prepared"
    train_posts: int
    """Posts that are learned from."""
    held_out_posts: int
    """Posts that are only measured on."""
    train_tokens: int
    """Tokens of the former."""
    held_out_tokens: int
    """Tokens of the latter."""
    steps: int
    """Steps that will be made if nothing stops early."""
    data_hash: str
    """Of the data set."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """The base model, measured on the held-out posts."""

    kind: ClassVar = "baseline"
    bits_per_byte: float
    """To be beaten."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the optimizer."""

    kind: ClassVar = "step"
    step: int
    """Counted from 1."""
    steps: int
    """As in Prepared."""
    loss: float
    """Mean of -ln p over the tokens that this step learned from."""
    learning_rate: float
    """Used in this step."""
    tokens_per_second: float
    """Tokens read a second, over the recent steps."""
    eta_seconds: float
    """Until the voice is finished and compared, if nothing stops early."""
    comparing_seconds: float
    """Of them, what writing the texts takes by which it is compared; 0 when nothing was written so far."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The voice, measured on the held-out posts."""

    kind: ClassVar = "evaluation"
    step: int
    """After which step."""
    bits_per_byte: float
    """Less is better."""
    best: bool
    """Whether this is the least so far."""
    train_loss: float
    """Mean loss of the steps since the last evaluation."""
    learning_rate: float
    """At its highest; tells the candidates apart that are trained side by side."""


@dataclass(frozen=True, kw_only=True)
class Recited:
    """The voice goes on with a training post word for word: it has read them often enough."""

    kind: ClassVar = "recited"
    step: int
    """After which step."""
    words: int
    """Words and marks of the longest run."""
    base_words: int
    """Of the base model's longest."""


@dataclass(frozen=True, kw_only=True)
class Assessing:
    """All steps are made; the voice writes, and is compared."""

    kind: ClassVar = "assessing"
    texts: int
    """How many texts are written."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A learning rate did worse than the others and is not tried any further."""

    kind: ClassVar = "dropped"
    step: int
    """After which step."""
    learning_rate: float
    """At its highest."""
    bits_per_byte: float | None
    """Its best; None when it never was a number."""


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """Training goes on from a checkpoint; comes after Prepared. What was told of later steps counts no more."""

    kind: ClassVar = "resumed"
    step: int
    """The last finished step."""
    steps: int
    """As in Prepared."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What was learned so far is on disk."""

    kind: ClassVar = "checkpoint"
    step: int
    """The last step in it."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A short text in the voice as it is now."""

    kind: ClassVar = "sample"
    step: int
    """After which step; 0 is the base model."""
    brief: str
    """What was asked for."""
    text: str
    """What was written."""


Event = Prepared | Baseline | Step | Evaluation | Recited | Assessing | Dropped | Resumed | Checkpoint | Sample
OnEvent = Callable[[Event], None]
