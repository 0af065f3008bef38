"""Flags: what an author should look at before a text is learned from, each with a name and a sentence.
Knows bounds and words for people. Knows nothing of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from adapters.importers import Cut
from adapters.models import Sample, Voice
from adapters.style import likeness
from adapters.style.meter import words
from adapters.style.personal import personal
from adapters.training.screening import foreign, junk

SHORT: Final = 80
"""Words. A note is no post: what is learned from it is how to stop."""
MUCH: Final = 0.5
"""Share of a post's words that are cut as quotations, or as code."""

USUAL: Final = 50
"""Texts that a single one is compared with to tell its language."""


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Why a text should be looked at."""

    name: str
    """In lists."""
    why: str
    """A sentence."""


FLAGS: Final[dict[str, Flag]] = {
    "near_duplicate": Flag(name="Like another", why="Most of it stands in another of your texts as well. Keep one."),
    "language": Flag(name="Other language", why="It seems to be in another language than most of your texts."),
    "short": Flag(name="Very short", why=f"It has fewer than {SHORT} words."),
    "quotation": Flag(name="Mostly quotation", why="More than half of it is set apart as somebody else’s words."),
    "code": Flag(name="Mostly code", why="More than half of it is code."),
    "list": Flag(name="Mostly a list", why="Nearly every line is an entry of a list."),
    "links": Flag(name="Mostly links", why="Much of it is addresses."),
    "personal": Flag(
        name="Personal data", why="It seems to hold addresses, numbers or keys that a model might repeat."
    ),
}
OF_OTHERS: Final = frozenset({"near_duplicate", "language"})
"""Those that follow from the other texts."""


def flags_of(read: str, whole: str, cuts: Sequence[Cut]) -> list[str]:
    """Those that follow from the text itself."""
    found = set()
    count = words(whole)
    for rule in ("quotation", "code"):
        cut = sum(words(whole[each.start : each.end]) for each in cuts if each.rule == rule)
        if cut > MUCH * count:
            found.add(rule)
    if words(read) < SHORT:
        found.add("short")
    if kind := junk(read):
        found.add(kind[0])
    if personal(read):
        found.add("personal")
    return sorted(found)


def review_one(*, sample: Sample) -> None:
    """The same as `review` for a text that has just come in: by the signatures of all others, and by the words of the
    newest ones, for to read all of them takes seconds."""
    others = Sample.objects.filter(voice=sample.voice).exclude(pk=sample.pk).order_by("-pk")
    signatures = dict(others.filter(like=None).values_list("pk", "signature"))
    near = likeness.nearest(bytes(sample.signature or b""), {pk: bytes(kept or b"") for pk, kept in signatures.items()})
    usual = others.exclude(flags__contains=["language"]).values_list("pk", "text")[:USUAL]
    found = {"near_duplicate"} if near else set()
    found |= {"language"} if sample.pk in foreign({**dict(usual), sample.pk: sample.text}) else set()
    sample.flags, sample.like_id = sorted({*sample.flags, *found}), near
    sample.save(update_fields=["flags", "like"])


@transaction.atomic
def review(*, voice: Voice) -> None:
    """Flag the texts that stand out from the others: those like an earlier one, and those in another language."""
    samples = list(Sample.objects.filter(voice=voice).order_by("pk").only("pk", "flags", "signature", "like", "text"))
    near = likeness.near({sample.pk: bytes(sample.signature or b"") for sample in samples})
    other = foreign({sample.pk: sample.text for sample in samples})
    changed = []
    for sample in samples:
        flags = set(sample.flags) - OF_OTHERS
        flags |= {"near_duplicate"} if sample.pk in near else set()
        flags |= {"language"} if sample.pk in other else set()
        if sorted(flags) != sample.flags or near.get(sample.pk) != sample.like_id:
            sample.flags, sample.like_id = sorted(flags), near.get(sample.pk)
            changed.append(sample)
    Sample.objects.bulk_update(changed, ["flags", "like"], batch_size=500)
