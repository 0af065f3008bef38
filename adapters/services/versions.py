"""Versions: a finished adapter becomes one, one of them is live, and names find them.
Knows the gate between training and the author: no voice goes live that is not better than the base model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from accounts.models import User
from adapters import base_model
from adapters.errors import UserError
from adapters.models import TrainingJob, Version, Voice
from adapters.services import jobs
from adapters.store import AdapterStore
from adapters.training import assessment

_NAME: Final = re.compile(r"([a-z0-9-]+)/([\w-]+)(?:@([1-9][0-9]{0,8}))?", re.ASCII)
DEMO_DOMAIN: Final = "@demo.localhost"
"""Of the invented authors' addresses: their voices may stand in for "somebody else's"."""


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a name in the API stands for."""

    voice: Voice
    version: Version


def store() -> AdapterStore:
    """Where the site keeps adapters."""
    return AdapterStore(Path(settings.ADAPTER_STORE))


def verdict(saved: dict[str, Any]) -> assessment.Verdict:
    """The gate. The only place that decides who goes live; `saved` is the trainer's last word, with all its figures."""
    return assessment.verdict(assessment.Assessment.from_dict(saved["assessment"]))


def another(job: TrainingJob) -> Path | None:
    """The files of the demo author's voice to compare a new one with: of somebody else, on the base model of today."""
    demo = Version.objects.live().filter(voice__owner__email__endswith=DEMO_DOMAIN)
    others = demo.exclude(voice__owner=job.voice.owner_id).order_by("pk")
    try:
        digest = base_model.find(settings.BASE_MODEL, settings.MODELS).digest
        found = others.filter(base_digest=digest).values_list("digest", flat=True).first()
        return store().path(found) if found else None
    except LookupError:  # no base model, or the files have gone: the training itself will say so, or do without
        return None


def publish(*, job: TrainingJob, saved: dict[str, Any]) -> Version:
    """Keep the adapter that `job` saved as the voice's next version, and end the job.

    It goes live when it passes the gate; else it is kept, rejected. Raises jobs.Lost when
    the job is not ours any more, OSError when the files cannot be stored.
    """
    digest = store().put(Path(saved["folder"]))
    try:
        with transaction.atomic():
            return _record(job, digest, saved)
    except BaseException:
        if not Version.objects.filter(digest=digest).exists():
            store().delete(digest)
        raise


def _record(job: TrainingJob, digest: str, saved: dict[str, Any]) -> Version:
    # One at a time for each voice: numbers follow each other, and one version is live.
    if not Voice.objects.select_for_update().filter(pk=job.voice_id).exists():
        raise jobs.Lost(job.pk)
    versions = Version.objects.filter(voice=job.voice_id)
    judged = verdict(saved)
    if judged.passes:
        versions.filter(status=Version.Status.LIVE).update(status=Version.Status.RETIRED)
    version = Version.objects.create(
        voice_id=job.voice_id,
        number=(versions.aggregate(last=Max("number"))["last"] or 0) + 1,
        job=job,
        digest=digest,
        base_model=saved["manifest"]["base_model"]["name"],
        base_digest=saved["manifest"]["base_model"]["digest"],
        recipe=job.recipe,
        manifest=saved["manifest"],
        metrics={
            **saved["manifest"]["metrics"],
            "gain": _gain(saved),
            "bytes": saved["bytes"],
            "assessment": saved["assessment"],
        },
        status=Version.Status.LIVE if judged.passes else Version.Status.REJECTED,
    )
    ended = jobs.finish(
        jobs.held(job),
        job.pk,
        outcome=TrainingJob.Outcome.PUBLISHED if judged.passes else TrainingJob.Outcome.NOT_BETTER,
        message=judged.sentence,
        version=version.number,
        bits_per_byte=saved["bits_per_byte"],
        base_bits_per_byte=saved["base_bits_per_byte"],
    )
    if not ended:
        raise jobs.Lost(job.pk)
    return version


def make_live(*, version: Version) -> None:
    """Have `version` write from now on. Raises UserError for one that did not beat the base model."""
    with transaction.atomic():
        Voice.objects.select_for_update().get(pk=version.voice_id)
        if not Version.objects.filter(pk=version.pk).usable().exists():
            raise UserError("version.not_usable", number=version.number)
        Version.objects.filter(voice=version.voice_id).live().update(status=Version.Status.RETIRED)
        Version.objects.filter(pk=version.pk).update(status=Version.Status.LIVE)


def resolve(*, user: User, name: str) -> Resolved:
    """The version of `user` that `name` stands for: `handle/voice` is the live one, `handle/voice@3` the third.

    Raises LookupError for everything else, other people's voices and versions that never went live included.
    """
    parts = _NAME.fullmatch(name)
    if parts:
        handle, slug, number = parts.groups()
        mine = Version.objects.filter(voice__owner=user, voice__owner__handle=handle, voice__slug=slug)
        wanted = mine.usable().filter(number=int(number)) if number else mine.live()
        version = wanted.select_related("voice__owner").first()
        if version:
            return Resolved(voice=version.voice, version=version)
    raise LookupError(f"there is no voice {name!r} that can write")


def _gain(saved: dict[str, Any]) -> float:
    return float(1 - saved["bits_per_byte"] / saved["base_bits_per_byte"])


def percent(share: float) -> str:
    """For a sentence: whole from ten up, with one decimal below."""
    value = share * 100
    if value < 0.1:
        return "a trace"
    return f"{value:.0f} %" if value >= 9.95 else f"{value:.1f} %"
