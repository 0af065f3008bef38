"""Assessment: how good a finished voice is, in figures, and whether it may go live, in a sentence.
Knows bounds and words for them. Knows nothing of models or how the figures were measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

LONGEST_RUN: Final = 50
"""Words and marks. So long a run is the training post itself, whatever the author's own habits are."""
NOTED_RUN: Final = 25
"""A shorter one is a quotation or a phrase that the author is fond of, and no ground to refuse a voice."""
TIMES_OWN: Final = 2.0
"""How much more than the author a voice may repeat what stands in the training posts, beyond the two allowances."""
OVERLAP_ALLOWED: Final = {5: 0.10, 13: 0.02}
"""Runs of so many words and marks -> which share of them may be copied even where the author repeats nothing. Phrases
of five are style in part; thirteen in a row are hardly ever written twice."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """How much of some texts stands word for word in the training posts."""

    longest_run: int
    """Words and marks of the longest run."""
    passage: str
    """That run."""
    overlap_5: float
    """Share of the runs of 5 words and marks that stand there."""
    overlap_13: float
    """The same of 13."""


@dataclass(frozen=True, kw_only=True)
class Attributed:
    """Which share of some texts the judges gave to the author, choosing among the author and other writers."""

    characters: float
    """The judge of character sequences."""
    function_words: float
    """The judge of common words."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What is to be said of texts by one writer."""

    texts: int
    """How many were judged."""
    copied: Copied | None = None
    """From the training posts."""
    attributed: Attributed | None = None
    """To the author."""


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """Everything measured of a finished voice. None is not measured, and `missing` says why; it is never 0."""

    base_bits: float
    """Bits per byte of the held-out posts under the base model."""
    voice_bits: float
    """Under the voice."""
    examples_bits: float | None = None
    """Under the base model with five random training posts in the context."""
    other_bits: float | None = None
    """Under another author's voice: the control."""
    voice: Written | None = None
    """Texts by the voice."""
    base: Written | None = None
    """Texts by the base model to the same briefs."""
    other: Written | None = None
    """Texts by the other author's voice to the same briefs."""
    own: Written | None = None
    """The author's held-out posts: what is usual for the author, and what the judges can tell at best."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """What was not measured -> why not."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the version's metrics."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Assessment:
        """The inverse of `as_dict`."""
        written = {name: _written(values[name]) for name in ("voice", "base", "other", "own") if values.get(name)}
        return cls(**{**values, **written})


def _written(values: Mapping[str, Any]) -> Written:
    copied, attributed = values.get("copied"), values.get("attributed")
    return Written(
        texts=values["texts"],
        copied=Copied(**copied) if copied else None,
        attributed=Attributed(**attributed) if attributed else None,
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a version may go live."""

    passes: bool
    """It may."""
    sentence: str
    """For the author: how good it is, or why it may not and what to try."""


def verdict(assessment: Assessment) -> Verdict:
    """A voice passes that expects the author's writing better than the base model does and does not copy too much.

    Too much is a run of 50 words and marks; or one of 25 that is twice the author's own longest; or runs of 13 (of 5)
    of which 2 % (10 %) more are copied than twice the author's own share. What was not measured refuses no voice.
    """
    if not assessment.voice_bits < assessment.base_bits:
        return Verdict(
            passes=False,
            sentence="This voice expects your writing no better than the base model does, so it stays off: add more "
            "posts that sound like you, leave out those that do not, and train again.",
        )
    if why := _copies(_copied(assessment.voice), _copied(assessment.own)):
        return Verdict(
            passes=False,
            sentence=f"This voice {why}, so it stays off: add more posts, remove those that say the same thing "
            "twice, or train for fewer epochs.",
        )
    return Verdict(passes=True, sentence=surprise(assessment.base_bits, assessment.voice_bits))


def surprise(base_bits: float, voice_bits: float) -> str:
    """One plain sentence on how much better the voice expects the author's writing."""
    less = 100 * (1 - voice_bits / base_bits)
    share = f"{less:.0f}" if less >= 1 else f"{less:.1f}" if less >= 0.05 else "less than 0.1"
    return f"{share} % less surprised by your writing than before."


def _copied(written: Written | None) -> Copied | None:
    return written.copied if written else None


def _copies(voice: Copied | None, own: Copied | None) -> str:
    if voice is None:
        return ""
    usual = TIMES_OWN * (own.longest_run if own else 0)
    if voice.longest_run >= LONGEST_RUN or voice.longest_run >= max(NOTED_RUN, usual):
        start = " ".join(voice.passage.split()[:8])
        return f"repeats your posts word for word ({voice.longest_run} words and marks in a row, from “{start} …”)"
    for size, allowed in OVERLAP_ALLOWED.items():
        found, habit = (getattr(copied, f"overlap_{size}") if copied else 0.0 for copied in (voice, own))
        if found > TIMES_OWN * habit + allowed:
            return f"takes {100 * found:.0f} % of its phrases of {size} words from your posts"
    return ""
