"""Style: what is usual for an author, measured by a worker whenever the texts have changed since.
Knows rows, periods and when to ask. Knows nothing of how style is measured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.db.models.functions import MD5
from django.utils import timezone

from adapters.models import Sample, SampleQuerySet, StyleProfile, Voice
from adapters.services import bells
from adapters.style import match, profile
from adapters.style.comparison import Difference, compare

ASK_AGAIN: Final = timedelta(minutes=2)
"""A worker that was asked so long ago has lost the message, or itself."""


@dataclass(frozen=True, kw_only=True)
class Period:
    """Some of a voice's texts, by the years of their dates. With neither bound, those without a date belong to it."""

    first: int | None = None
    """The first year; None from the oldest text on."""
    last: int | None = None
    """The last year; None up to the newest."""

    def __str__(self) -> str:
        match (self.first, self.last):
            case (None, None):
                return "all years"
            case (first, None):
                return f"{first} and later"
            case (None, last):
                return f"{last} and before"
            case (first, last) if first == last:
                return str(first)
            case (first, last):
                return f"{first} to {last}"


@dataclass(frozen=True, kw_only=True)
class Style:
    """What is known of how a voice's texts are written."""

    profile: profile.Profile | None
    """As last measured; None before that, and where there are no texts."""
    measuring: bool
    """Whether a worker was asked to measure it anew: texts have come, gone or changed."""
    empty: bool
    """Whether there is nothing to measure."""


ALWAYS: Final = Period()


def style_of(*, voice: Voice, period: Period = ALWAYS) -> Style:
    """What was last measured; a worker is asked where that was other texts."""
    texts = _fingerprint(voice, period)
    if not texts:
        return Style(profile=None, measuring=False, empty=True)
    row, _ = StyleProfile.objects.get_or_create(voice=voice, first_year=period.first, last_year=period.last)
    if row.texts != texts:
        _ask(row)
    found = profile.Profile.from_dict(row.profile) if row.profile else None
    return Style(profile=found, measuring=row.texts != texts, empty=False)


def measure_style(*, profile_id: int) -> None:
    """Measure the texts of a profile, unless these are what it was measured on."""
    row = StyleProfile.objects.select_related("voice").filter(pk=profile_id).first()
    if row is None:
        return  # the voice was deleted since
    period = Period(first=row.first_year, last=row.last_year)
    texts = _fingerprint(row.voice, period)
    if not texts or texts == row.texts:
        return
    found = _samples(row.voice, period).values_list("pk", "title", "text", "date")
    posts = [profile.Post(key=pk, title=title, text=text, written=date) for pk, title, text, date in found]
    StyleProfile.objects.filter(pk=row.pk).update(
        profile=profile.measure(posts).as_dict(),
        voiceprint=match.fit(posts).as_dict() if period == ALWAYS else None,
        texts=texts,
        measured_at=timezone.now(),
    )


def forget_style(*, voice: Voice) -> None:
    """Throw away what was measured: it quotes texts that have been deleted."""
    StyleProfile.objects.filter(voice=voice).delete()


def years_of(*, voice: Voice) -> list[int]:
    """Those in which its included texts were written, the first one first."""
    found = Sample.objects.filter(voice=voice, included=True, words__gt=0).order_by().dates("date", "year")
    return [day.year for day in found if day]


def differences(one: Style, other: Style, names: tuple[str, str]) -> tuple[Difference, ...]:
    """What tells two measured styles apart, the most telling first; nothing while one is not measured."""
    return compare(one.profile, other.profile, names) if one.profile and other.profile else ()


def match_of(*, voice: Voice, text: str) -> match.Match | None:
    """How like the author a text is; None as long as no voiceprint is there. It is asked for while somebody types, so
    whether the author's texts have changed is for `style_of` to see."""
    always = StyleProfile.objects.filter(voice=voice, first_year=None, last_year=None)
    kept = always.values_list("voiceprint", flat=True).first()
    return match.Voiceprint.from_dict(kept).match(text) if kept else None


def _ask(row: StyleProfile) -> None:
    now = timezone.now()
    silent = Q(asked_at=None) | Q(asked_at__lt=now - ASK_AGAIN)
    # What was asked before the last measurement has been answered.
    answered = Q(asked_at__lte=row.measured_at) if row.measured_at else Q()
    if StyleProfile.objects.filter(silent | answered, pk=row.pk).update(asked_at=now):
        bells.ring(bells.STYLE, row.pk)


def _samples(voice: Voice, period: Period) -> SampleQuerySet:
    found = SampleQuerySet(Sample).filter(voice=voice, included=True, words__gt=0)
    if period.first is not None:
        found = found.filter(date__year__gte=period.first)
    if period.last is not None:
        found = found.filter(date__year__lte=period.last)
    return found.order_by("pk")


def _fingerprint(voice: Voice, period: Period) -> str:
    """Of all that is measured; empty without texts."""
    rows = list(_samples(voice, period).annotate(hash=MD5("text")).values_list("pk", "hash", "date"))
    return hashlib.sha256(repr(rows).encode()).hexdigest() if rows else ""
