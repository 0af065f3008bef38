"""Training as its author sees it: asked for, waiting, cancelled.
Knows when a voice may be trained and what is in the queue. Knows nothing of how a worker runs a job."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from adapters.errors import UserError
from adapters.models import TrainingJob, Voice
from adapters.services import base, bells, jobs
from adapters.services.meter import measure
from adapters.training.recipe import Recipe, recipe_for


def submit_training(*, voice: Voice, by: User, recipe: Recipe | None = None) -> TrainingJob:
    """Queue the training of `voice` on its included writing.

    Raises UserError when there is too little of it, when the voice is being trained already, or without a base model.
    """
    meter = measure(voice=voice)
    if not meter.ready.enough:
        raise UserError("training.not_ready", sentence=meter.ready.message)
    chosen = recipe or expected_recipe(tokens=meter.tokens)
    try:
        with transaction.atomic():
            job = TrainingJob.objects.create(
                voice=voice, requested_by=by, recipe=chosen.as_dict(), heartbeat_at=timezone.now()
            )
            bells.ring(bells.TRAINING, job.pk)
    except IntegrityError:  # `one_active_job_per_voice`: whoever was first has the job
        raise UserError("training.active") from None
    return job


def expected_recipe(*, tokens: int) -> Recipe:
    """What a voice with so much writing would be trained with. Raises UserError without a base model."""
    return recipe_for(tokens, base.parameters())


def cancel_training(*, job: TrainingJob) -> None:
    """End a queued job at once; ask the worker of a running one, which listens twice a second. Harmless afterwards."""
    waiting = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.QUEUED)
    if jobs.finish(waiting, job.pk, outcome=TrainingJob.Outcome.CANCELLED, message=jobs.CANCELLED_WAITING):
        return
    TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.RUNNING).update(cancel_requested=True)
    # Nobody listens where the worker is gone: then it ends here, not when the sweeper comes by.
    silent = timezone.now() - timedelta(seconds=settings.TRAINING_HEARTBEAT_TIMEOUT)
    orphaned = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.RUNNING, heartbeat_at__lt=silent)
    jobs.finish(orphaned, job.pk, outcome=TrainingJob.Outcome.CANCELLED, message=jobs.CANCELLED)


def requeue_training(*, job: TrainingJob) -> bool:
    """Take a running job from its worker and put it back into the queue: for staff, when the worker is stuck."""
    return jobs.requeue(jobs.held(job), job.pk, reason="The site's operator started it again.")


def queue_position(*, job: TrainingJob) -> int:
    """How many jobs come first: those that are running, and those that were queued before. 0 once it runs itself."""
    if job.state != TrainingJob.State.QUEUED:
        return 0
    before = Q(state=TrainingJob.State.QUEUED, pk__lt=job.pk) | Q(state=TrainingJob.State.RUNNING)
    return TrainingJob.objects.filter(before).count()
