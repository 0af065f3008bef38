"""Recipe: how a voice is trained, chosen by the size of the corpus and of the base model.
Knows what was measured to work. Knows nothing of text, tensors or jobs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

MINIMUM_TOKENS: Final = 5000
MINIMUM_POSTS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what training does to a given data set and base model."""

    rank: int = 16
    """Rank of the LoRA matrices, 1 to 64."""
    alpha: int = 32
    """The adapter's product is scaled by alpha / rank."""
    dropout: float = 0.05
    """Share of the adapter's inputs that each training pass leaves out."""
    learning_rate: float = 3e-4
    """AdamW's, at its highest."""
    rate_factors: tuple[float, ...] = ()
    """Learning rates that are trained side by side, as multiples of `learning_rate`; the worse ones end early. None
    given: half of it, itself and twice as much on a GPU; on a CPU, where each costs its whole time, itself alone."""
    epochs: float = 3.0
    """How often every window is read at most; early stopping may end sooner."""
    windows_a_step: int = 4
    """Windows whose gradients make one step of the optimizer."""
    window_tokens: int = 512
    """The longest row, prompt included."""
    warmup_ratio: float = 0.06
    """Share of the steps in which the learning rate rises from zero; then it falls as a cosine."""
    evaluations_an_epoch: int = 4
    """How often an epoch the voice is measured on the held-out posts."""
    patience: int = 3
    """Stop after this many measurements in a row without a new best."""
    continuation_share: float = 0.2
    """Share of the posts that are learned as continuations of their first paragraph instead of from a brief."""
    seed: int = 0
    """Fixes the order of the windows, the adapter's first weights and dropout."""

    def __post_init__(self) -> None:
        bounds: dict[str, tuple[float, float]] = {
            "rank": (1, 64),
            "alpha": (1, 1024),
            "dropout": (0, 0.9),
            "learning_rate": (1e-7, 1),
            "epochs": (0.01, 100),
            "windows_a_step": (1, 1024),
            "window_tokens": (64, 32768),
            "warmup_ratio": (0, 1),
            "evaluations_an_epoch": (1, 100),
            "patience": (1, 1000),
            "continuation_share": (0, 1),
            "seed": (0, 2**63 - 1),
        }
        for name, (low, high) in bounds.items():
            value = getattr(self, name)
            whole = isinstance(getattr(type(self), name), int)
            if not isinstance(value, int if whole else int | float):
                raise ValueError(f"{name}: {value!r} is not a {'whole ' if whole else ''}number")
            if not low <= value <= high:
                raise ValueError(f"{name}: {value} is not between {low:g} and {high:g}")
        factors = tuple(self.rate_factors)
        object.__setattr__(self, "rate_factors", factors)  # JSON has lists
        known = all(isinstance(factor, int | float) and 0.01 <= factor <= 100 for factor in factors)
        if not (known and len(set(factors)) == len(factors) <= 8):
            raise ValueError(f"rate_factors: {factors} are not up to 8 different numbers between 0.01 and 100")

    def as_dict(self) -> dict[str, Any]:
        """For JSON: jobs, manifests."""
        return {**asdict(self), "rate_factors": list(self.rate_factors)}

    def factors_on(self, device: str) -> tuple[float, ...]:
        """`rate_factors`, or those for a type of device when none are given."""
        return self.rate_factors or ((0.5, 1.0, 2.0) if device == "cuda" else (1.0,))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The inverse of `as_dict`. Raises ValueError naming a field that is unknown or out of bounds."""
        if unknown := set(values) - {field.name for field in fields(cls)}:
            raise ValueError(f"recipe: unknown field {min(unknown)!r}")
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether there is enough writing to train on, and what is missing."""

    enough: bool
    """Training may start."""
    missing_tokens: int
    """0 when there are enough."""
    missing_posts: int
    """0 when there are enough."""
    message: str
    """A sentence or two for the author."""


def readiness(posts: int, tokens: int) -> Readiness:
    """Measure an author's included writing against the least that a voice can be learned from."""
    missing_posts, missing_tokens = max(0, MINIMUM_POSTS - posts), max(0, MINIMUM_TOKENS - tokens)
    # People count words; English has about four words to five tokens, plain prose a little more.
    words = max(50, round(missing_tokens * 0.75 / 50) * 50)
    more_posts = f"{missing_posts} more post{'s' if missing_posts > 1 else ''}"
    why = "With less, a model learns the subjects by heart instead of the way you write."
    if missing_posts and missing_tokens:
        message = f"Add at least {more_posts}, about {words:,} words together. {why}"
    elif missing_posts:
        message = f"Add at least {more_posts}: some are set aside to measure the voice with. {why}"
    elif missing_tokens:
        message = f"Add about {words:,} more words. {why}"
    else:
        message = "There is enough writing to train a voice. More, and more recent, makes it better."
    return Readiness(
        enough=not (missing_posts or missing_tokens),
        missing_tokens=missing_tokens,
        missing_posts=missing_posts,
        message=message,
    )


def recipe_for(tokens: int, parameters: int) -> Recipe:
    """The recipe for a corpus of `tokens` tokens on a base model of `parameters` weights.

    Small models want higher rates. The one for little writing on a base of the starter model's size was measured, on
    corpora of 7,000 to 15,000 tokens; all other values are starting points and not yet measured here.
    """
    small_base = parameters < 500_000_000
    rate = 1e-3 if small_base else 3e-4 if parameters < 5_000_000_000 else 2e-4
    if tokens < 20_000 and small_base:
        # The second epoch already brings little. Dropout would cost a CPU a third of its speed.
        return Recipe(
            rank=8, dropout=0.0, learning_rate=2e-3, windows_a_step=2, epochs=2, evaluations_an_epoch=2, patience=2
        )
    if tokens < 20_000:
        return Recipe(rank=8, dropout=0.1, learning_rate=rate, windows_a_step=2, epochs=4)
    if tokens < 100_000:
        return Recipe(rank=16, dropout=0.05, learning_rate=rate, windows_a_step=4, epochs=3)
    return Recipe(rank=32, dropout=0.05, learning_rate=rate, windows_a_step=8, epochs=3)


def in_words(recipe: Recipe) -> str:
    """What the recipe does, for the author."""
    words = round(recipe.window_tokens * 0.75 / 50) * 50
    times = (
        "once" if recipe.epochs <= 1 else "twice" if recipe.epochs <= 2 else f"up to {math.ceil(recipe.epochs)} times"
    )
    return (
        f"Your posts are read {times}, in passages of about {words} words. A few of the newest are never read: they "
        "show how well the voice has learned, and reading stops when it gets no better."
    )
