"""Copies: which spans of a text stand word for word in an author's own posts.
Knows which posts are compared and keeps them ready for a while. Knows nothing of how spans are found."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from adapters.models import Sample, Voice
from adapters.style.known import Copied, Known

MOST_WORDS: Final = 500_000
"""So many words of an author are compared with, the newest ones: they take some 100 MB while they are ready."""
READY: Final = 2
"""Authors whose posts a process keeps ready."""

_ready: OrderedDict[tuple[int, int], Known] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Words in a row that stand in a post of the author's as well."""

    span: Copied
    """Where, in the text and in the post."""
    passage: str
    """As they stand in the text."""
    sample: Sample
    """The post."""
    source: str
    """As they stand in it."""


@dataclass(frozen=True, kw_only=True)
class Copies:
    """All that a text repeats."""

    found: Sequence[Copy]
    """In the order of the text; no two overlap."""
    left_out: int
    """Older posts that it was not compared with, because there are so many."""


def copies_in(*, voice: Voice, text: str) -> Copies:
    """What a text has in common with the posts of a voice, those it does not learn from as well."""
    posts = list(Sample.objects.filter(voice=voice).order_by("-date", "-pk").values_list("pk", "words", "content_hash"))
    sums = accumulate(words for _, words, _ in posts)
    chosen = [pk for (pk, _, _), total in zip(posts, sums, strict=True) if total <= MOST_WORDS] or [
        pk for pk, _, _ in posts[:1]
    ]
    spans = _known(voice, chosen, hash(tuple(posts))).spans(text)
    samples = Sample.objects.in_bulk({span.key for span in spans})
    found = [
        Copy(
            span=span,
            passage=text[span.start : span.end],
            sample=samples[span.key],
            source=samples[span.key].whole[span.source_start : span.source_end],
        )
        for span in spans
        if span.key in samples
    ]
    return Copies(found=found, left_out=len(posts) - len(chosen))


def _known(voice: Voice, posts: Sequence[int], state: int) -> Known:
    key = (voice.pk, state)
    with _lock:  # two requests at once would make it twice
        if key not in _ready:
            for old in [each for each in _ready if each[0] == voice.pk]:
                del _ready[old]
            chosen = Sample.objects.filter(pk__in=posts).order_by("pk").only("pk", "full", "text")
            _ready[key] = Known({sample.pk: sample.whole for sample in chosen})
        _ready.move_to_end(key)
        while len(_ready) > READY:
            _ready.popitem(last=False)
        return _ready[key]
