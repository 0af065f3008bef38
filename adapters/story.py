"""What the events of a training job add up to: how far it is, its curves, and both in words.
Knows the kinds of events. Knows nothing of the database, pages or streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

# More points than a curve on a screen can show are averaged away.
POINTS: Final = 200
# What puts a job back into the queue: bad luck, or its author's wish.
AGAIN: Final = frozenset({"requeued", "continued"})


class Told(Protocol):
    """A stored event."""

    seq: int
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time that is still to come, in seconds: probably between the two."""

    low: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(low=self.low + other.low, high=self.high + other.high)

    def less(self, seconds: float) -> Span:
        """After `seconds` of it."""
        return Span(low=max(0.0, self.low - seconds), high=max(0.0, self.high - seconds))

    def widened(self, share: float) -> Span:
        """By so much of itself at both ends."""
        return Span(low=self.low * (1 - share), high=self.high * (1 + share))

    @classmethod
    def of_step(cls, step: dict[str, Any]) -> Span:
        """What was said with a step: the trainer's one figure, and the two that the worker made of it."""
        return cls(low=step.get("eta_low", step["eta_seconds"]), high=step.get("eta_high", step["eta_seconds"]))

    @property
    def words(self) -> str:
        """Rough, because it is an estimate."""
        low, high = round(self.low / 60), round(self.high / 60)
        if low == high or high <= 1:
            return duration(self.high)
        if high >= 60:
            return f"{duration(self.low)} to {duration(self.high).removeprefix('about ')}"
        return f"about {low} to {high} minutes" if low else f"up to {high} minutes"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measurement on the held-out posts."""

    step: int
    """After which step."""
    bits_per_byte: float
    """Less is better."""
    train_loss: float
    """Mean loss of the steps before it."""
    best: bool
    """The least so far."""
    gain: float | None
    """Share of the base model's bits that are saved; None while that is not measured."""

    @property
    def words(self) -> dict[str, str]:
        """For a table's row."""
        return {
            "step": f"{self.step:,}",
            "bits": f"{self.bits_per_byte:.3f}",
            "change": "" if self.gain is None else change(self.gain),
            "loss": f"{self.train_loss:.2f}",
        }


@dataclass(frozen=True, kw_only=True)
class Written:
    """A short text that the voice wrote on the way."""

    step: int
    """After which step; 0 is the base model."""
    text: str

    @property
    def when(self) -> str:
        """For a heading."""
        return f"After step {self.step:,}" if self.step else "The base model, before the first step"


@dataclass(kw_only=True)
class Story:
    """A job as far as it has come, over all of its attempts."""

    last_seq: int = 0
    """The next events are numbered from one above."""
    stage: str = "queued"
    """The kind of the latest event that changes what is going on."""
    prepared: dict[str, Any] = field(default_factory=dict)
    """The data set: posts and tokens to learn from and held out, steps."""
    base: float | None = None
    """The base model's bits per byte on the held-out posts."""
    step: dict[str, Any] = field(default_factory=dict)
    """The latest step."""
    losses: list[tuple[float, float]] = field(default_factory=list)
    """(step, loss) of the training curve."""
    measured: list[Measured] = field(default_factory=list)
    """The held-out curve."""
    samples: dict[str, list[Written]] = field(default_factory=dict)
    """To each brief what was written to it, the newest first."""
    finished: dict[str, Any] = field(default_factory=dict)
    """How it ended."""
    again: str = ""
    """Why it was taken up again, when it was."""
    pending: bool = False
    """Taken up again, but not yet heard whether it goes on or begins anew."""
    resumed: int | None = None
    """After which step it went on; None when it was begun from the start."""

    @property
    def best(self) -> Measured | None:
        return min(self.measured, key=lambda point: point.bits_per_byte, default=None)

    @property
    def curves(self) -> dict[str, Any]:
        """For the page's chart."""
        return {
            "base": self.base,
            "steps": self.prepared.get("steps"),
            "losses": [[round(step, 1), round(loss, 4)] for step, loss in _thinned(self.losses)],
            "heldOut": [[point.step, round(point.bits_per_byte, 5)] for point in self.measured],
        }

    @property
    def words(self) -> dict[str, str]:
        """The figures of the latest step, in words."""
        return in_words(self.step) if self.step else {}

    @property
    def rows(self) -> list[dict[str, str]]:
        """The held-out curve in words, for its table."""
        return [point.words for point in self.measured]

    def measure(self, point: Measured) -> None:
        """Of several learning rates that are tried side by side, the one that is ahead is shown."""
        if self.measured and self.measured[-1].step == point.step:
            self.measured[-1] = min(self.measured[-1], point, key=lambda each: each.bits_per_byte)
        else:
            self.measured.append(point)

    def go_on(self, *, after: int) -> None:
        """Steps beyond the checkpoint are made again."""
        self.pending, self.resumed = False, after
        self.losses = [(step, loss) for step, loss in self.losses if step <= after]
        self.measured = [point for point in self.measured if point.step <= after]
        for brief, texts in self.samples.items():
            self.samples[brief] = [written for written in texts if written.step <= after]


def tell(events: Iterable[Told]) -> Story:
    """The story of `events`, which are in order. A job that goes on from a checkpoint keeps what led there."""
    story = Story()
    for event in events:
        data = event.data
        if event.kind in AGAIN:
            story.again, story.pending, story.step, story.finished = data["reason"], True, {}, {}
        elif event.kind == "resumed":
            story.go_on(after=data["step"])
        elif event.kind == "prepared":
            story.prepared = data
        elif event.kind == "baseline":
            if story.pending:  # nothing was saved to go on from: it measures the base model again
                story = Story(again=story.again, prepared=story.prepared)
            story.base = data["bits_per_byte"]
        elif event.kind == "step":
            story.step = data
            story.losses.append((data["step"], data["loss"]))
        elif event.kind == "evaluation":
            story.measure(measured(data, story.base))
        elif event.kind == "sample":
            story.samples.setdefault(data["brief"], []).insert(0, Written(step=data["step"], text=data["text"]))
        elif event.kind == "finished":
            story.finished = data
        if event.kind not in {"evaluation", "sample"}:
            story.stage = "queued" if event.kind in AGAIN else event.kind
        story.last_seq = event.seq
    return story


def measured(data: dict[str, Any], base: float | None) -> Measured:
    """A measurement beside the base model's."""
    bits = data["bits_per_byte"]
    return Measured(
        step=data["step"],
        bits_per_byte=bits,
        train_loss=data["train_loss"],
        best=data["best"],
        gain=1 - bits / base if base else None,
    )


def change(gain: float) -> str:
    """How the bits per byte moved against the base model's: less is better, so a gain has a minus."""
    return f"{'−' if gain >= 0 else '+'}{abs(gain) * 100:.1f} %"


def in_words(step: dict[str, Any]) -> dict[str, str]:
    """How far, how fast and how long still."""
    return {
        "step": f"{step['step']} of {step['steps']}",
        "left": f"{Span.of_step(step).words} left",
        "speed": f"{step['tokens_per_second']:,.0f} tokens a second",
        "loss": f"{step['loss']:.2f}",
    }


def place_in_words(before: int, wait: Span | None) -> str:
    """Where a job stands in the queue."""
    place = f"{before} before yours" if before else "Next in line"
    return f"{place}, {wait.words}" if wait and before else place


def duration(seconds: float) -> str:
    """A time that is still to come: rough, because it is an estimate."""
    if seconds < 20:
        return "a few seconds"
    if seconds < 50:
        return "less than a minute"
    minutes = round(seconds / 60) or 1
    if minutes < 60:
        return f"about {minutes} minute{'s' if minutes > 1 else ''}"
    hours, rest = divmod(minutes, 60)
    rest -= rest % 10
    more = f" {rest} minutes" if rest else ""
    return f"about {hours} hour{'s' if hours > 1 else ''}{more}"


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    size = -(-len(points) // POINTS)
    if size <= 1:
        return points
    buckets = (points[start : start + size] for start in range(0, len(points), size))
    return [(sum(x for x, _ in bucket) / len(bucket), sum(y for _, y in bucket) / len(bucket)) for bucket in buckets]


@dataclass(frozen=True, kw_only=True)
class Writer:
    """A line of the table that compares a finished voice."""

    name: str
    bits: float | None
    """Per byte of the held-out posts."""
    attributed: float | None
    """Share of the texts that a judge took for the author's."""
    run: int | None
    """Words and marks of the longest run copied from the training posts."""


def writers(found: Mapping[str, Any]) -> list[Writer]:
    """Everybody whom an assessment (as a version's metrics keep it) has something to say of."""
    named = {
        "voice": "This voice",
        "base": "The base model",
        "examples": "The base model with five of your posts before it",
        "other": "Another author’s voice",
        "own": "You, in the posts held out",
    }
    lines = []
    for key, name in named.items():
        written = found.get(key) or {}
        line = Writer(
            name=name,
            bits=found.get(f"{key}_bits"),
            attributed=(written.get("attributed") or {}).get("characters"),
            run=(written.get("copied") or {}).get("longest_run"),
        )
        if (line.bits, line.attributed, line.run) != (None, None, None):
            lines.append(line)
    return lines
