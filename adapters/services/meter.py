"""How much writing a voice has, against what training needs.
Knows sums over the included samples. Knows nothing of how texts come in or what training does with them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Sum

from adapters.models import Sample, Voice
from adapters.training.recipe import MINIMUM_POSTS, MINIMUM_TOKENS, Readiness, readiness


@dataclass(frozen=True, kw_only=True)
class Meter:
    """The included writing of one voice, in sums."""

    posts: int
    """Included samples."""
    words: int
    """Their words."""
    tokens: int
    """Their tokens, as the base model reads them."""
    left_out: int
    """Samples that are not included."""
    ready: Readiness
    """Whether it is enough, and a sentence about it."""

    @property
    def needed_tokens(self) -> int:
        return MINIMUM_TOKENS

    @property
    def needed_posts(self) -> int:
        return MINIMUM_POSTS


def measure(*, voice: Voice) -> Meter:
    """The state of `voice`'s writing now."""
    samples = Sample.objects.filter(voice=voice)
    total = samples.filter(included=True).aggregate(posts=Count("pk"), words=Sum("words"), tokens=Sum("tokens"))
    posts, words, tokens = (total[name] or 0 for name in ("posts", "words", "tokens"))
    left_out = samples.filter(included=False).count()
    return Meter(posts=posts, words=words, tokens=tokens, left_out=left_out, ready=readiness(posts, tokens))
