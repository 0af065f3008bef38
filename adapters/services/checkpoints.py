"""Checkpoints: where a training in progress is saved, whether it still fits, and when it goes.
Knows folders beside the adapters, so that every worker reaches them, and hashes. Knows nothing of what is inside."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from adapters import base_model
from adapters.models import Sample, TrainingJob
from adapters.training.posts import Post
from adapters.training.prompts import TEMPLATE_VERSION


def folder(job_id: int) -> Path:
    """The job's own."""
    return _root() / str(job_id)


def prepare(job: TrainingJob, posts: Sequence[Post]) -> Path:
    """The folder to train in from here on. What is in it goes when it was made from anything else than it would be now:
    other writing, another base model, other prompts."""
    found = inputs(posts)
    if {name: job.inputs.get(name) for name in found} != found:
        delete(job.pk)
        job.inputs = {**found, "recipe": job.voice.recipe}
        TrainingJob.objects.filter(pk=job.pk).update(inputs=job.inputs, checkpoint_step=None)
    return folder(job.pk)


def obstacle(job: TrainingJob) -> str:
    """The id of the sentence why the job cannot be continued; empty when it can."""
    if job.checkpoint_step is None or not folder(job.pk).is_dir():
        return "training.no_checkpoint"
    found = inputs(posts_of(job))
    if job.inputs.get("base") != found["base"]:
        return "training.changed_base"
    if job.inputs.get("recipe") != job.voice.recipe:
        return "training.changed_recipe"
    return "" if job.inputs.items() >= found.items() else "training.changed_writing"


def posts_of(job: TrainingJob) -> list[Post]:
    """What the job reads: the included writing of its voice, and nobody else's."""
    samples = Sample.objects.filter(voice=job.voice_id, included=True).order_by("pk")
    return [
        Post(
            id=sample.pk,
            title=sample.title,
            text=sample.text,
            date=sample.date,
            voice=sample.voice_id,
            cleaning="markdown" if sample.external_id.lower().endswith((".md", ".markdown")) else "plain text",
        )
        for sample in samples
    ]


def inputs(posts: Sequence[Post]) -> dict[str, Any]:
    """Hashes of everything besides the job's own recipe that a checkpoint depends on."""
    writing = hashlib.sha256()
    for post in posts:
        writing.update(json.dumps([post.id, post.title, post.text, str(post.date)]).encode())
    try:
        base = base_model.find(settings.BASE_MODEL, settings.MODELS).digest
    except LookupError:
        base = ""  # the trainer will say so
    return {"writing": writing.hexdigest(), "base": base, "prompts": TEMPLATE_VERSION}


def delete(job_id: int) -> None:
    """Harmless when there is none."""
    shutil.rmtree(folder(job_id), ignore_errors=True)


def sweep_checkpoints() -> None:
    """Delete what nobody came back for, and what a worker left that was late: of deleted voices and ended jobs."""
    old = timezone.now() - timedelta(days=settings.CHECKPOINT_DAYS)
    ended = TrainingJob.objects.filter(state=TrainingJob.State.FINISHED)
    ended.filter(finished_at__lt=old).update(checkpoint_step=None)
    for path in _root().glob("[0-9]*"):
        kept = TrainingJob.objects.filter(pk=int(path.name))
        if not kept.exclude(state=TrainingJob.State.FINISHED, checkpoint_step=None).exists():
            shutil.rmtree(path, ignore_errors=True)


def _root() -> Path:
    # Two hexadecimal digits are the store's own folders; this is none of them.
    return Path(settings.ADAPTER_STORE) / "checkpoints"
