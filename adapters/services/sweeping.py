"""The sweeper of training: takes up what a dead worker left, rings for what a broker forgot.
Knows heartbeats. Knows nothing of why they stopped; running it twice, or too often, does no harm."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from adapters.models import TrainingJob
from adapters.services import bells, jobs

# In a long queue all messages but a few are there anyway: no need to ring for everybody every minute.
RINGS: Final = 16


def sweep_training() -> None:
    """Requeue, fail or cancel running jobs without a heartbeat; ring for queued ones that nobody came for."""
    silent_since = timezone.now() - timedelta(seconds=settings.TRAINING_HEARTBEAT_TIMEOUT)
    for job in TrainingJob.objects.filter(state=TrainingJob.State.RUNNING, heartbeat_at__lt=silent_since):
        held = jobs.held(job, silent_since=silent_since)
        if job.cancel_requested:
            jobs.cancel(held, job.pk)
        else:
            reason = "The machine that trained it went away."
            jobs.retry_or_fail(held, job, reason=reason, error="training.worker_lost", message=jobs.worker_lost())
    queued = TrainingJob.objects.filter(state=TrainingJob.State.QUEUED, heartbeat_at__lt=silent_since)
    for job in queued.order_by("pk")[:RINGS]:
        # For a queued job this is when its bell was last rung.
        rung = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.QUEUED, heartbeat_at=job.heartbeat_at)
        if rung.update(heartbeat_at=timezone.now()):
            bells.ring(bells.TRAINING, job.pk)
