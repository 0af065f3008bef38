"""Training as its author sees it: asked for, waiting, cancelled, continued.
Knows when a voice may be trained and what is in the queue. Knows nothing of how a worker runs a job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import User
from adapters.errors import UserError
from adapters.models import TrainingJob, Voice
from adapters.services import base, bells, checkpoints, jobs
from adapters.services.briefs import checked, default_briefs
from adapters.services.meter import measure
from adapters.training.recipe import Recipe, recipe_for

# Names Postgres's lock at the end of the queue; any number will do that nothing else on the site uses.
QUEUE_DOOR: Final = 0x1D101EC7


def submit_training(*, voice: Voice, by: User, recipe: Recipe | None = None, briefs: Sequence[str] = ()) -> TrainingJob:
    """Queue the training of `voice` on its included writing, to write about `briefs` or the usual ones on the way.

    Raises UserError when there is too little of it, for briefs that will not do, when the voice is being trained
    already, when its author or the whole site has too many trainings waiting, or without a base model.
    """
    meter = measure(voice=voice)
    if not meter.ready.enough:
        raise UserError("training.not_ready", sentence=meter.ready.message)
    written = checked(briefs) or default_briefs(voice=voice)
    chosen = recipe or expected_recipe(tokens=meter.tokens, voice=voice)
    try:
        with transaction.atomic():
            _check_limits(voice)
            job = TrainingJob.objects.create(
                voice=voice,
                requested_by=by,
                recipe=chosen.as_dict(),
                sample_briefs=written,
                heartbeat_at=timezone.now(),
            )
            bells.ring(bells.TRAINING, job.pk)
    except IntegrityError:  # `one_active_job_per_voice`: whoever was first has the job
        raise UserError("training.active") from None
    return job


def _check_limits(voice: Voice) -> None:
    """Within a transaction: from here to its end nobody else on the site joins the queue."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [QUEUE_DOOR])
    active = TrainingJob.objects.active().filter(voice__owner=voice.owner_id).exclude(voice=voice).count()
    if active >= settings.TRAINING_ACTIVE_PER_AUTHOR:
        raise UserError("training.too_many_of_yours", count=active)
    if TrainingJob.objects.filter(state=TrainingJob.State.QUEUED).count() >= settings.TRAINING_QUEUE_LIMIT:
        raise UserError("training.queue_full")


def expected_recipe(*, tokens: int, voice: Voice | None = None) -> Recipe:
    """What a voice with so much writing would be trained with: what staff gave `voice`, or what suits the amount.

    Raises UserError without a base model.
    """
    if voice is not None and voice.recipe is not None:
        return Recipe.from_dict(voice.recipe)
    return recipe_for(tokens, base.parameters())


def set_recipe(*, voice: Voice, recipe: Recipe | None) -> None:
    """How the next trainings of `voice` are done; None leaves that to the amount of its writing."""
    voice.recipe = recipe.as_dict() if recipe else None
    voice.save(update_fields=["recipe"])


def cancel_training(*, job: TrainingJob) -> None:
    """End a queued job at once; ask the worker of a running one, which listens twice a second. Harmless afterwards."""
    waiting = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.QUEUED)
    begun = waiting.exclude(checkpoint_step=None)
    if jobs.cancel(begun, job.pk) or jobs.cancel(waiting, job.pk, message=jobs.CANCELLED_WAITING):
        return
    TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.RUNNING).update(cancel_requested=True)
    # Nobody listens where the worker is gone: then it ends here, not when the sweeper comes by.
    silent = timezone.now() - timedelta(seconds=settings.TRAINING_HEARTBEAT_TIMEOUT)
    orphaned = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.RUNNING, heartbeat_at__lt=silent)
    jobs.cancel(orphaned, job.pk)


def continue_training(*, job: TrainingJob) -> None:
    """Queue a job that was cancelled, or failed for no fault of its writing, to go on where it was saved last.

    Raises UserError when nothing is saved, when that does not fit any more, or as `submit_training` does.
    """
    if obstacle := checkpoints.obstacle(job):
        raise UserError(obstacle)
    try:
        with transaction.atomic():
            _check_limits(job.voice)
            if not jobs.resume(job):
                raise UserError("training.no_checkpoint")
    except IntegrityError:
        raise UserError("training.active") from None


def requeue_training(*, job: TrainingJob) -> bool:
    """Take a running job from its worker and put it back into the queue: for staff, when the worker is stuck."""
    return jobs.requeue(jobs.held(job), job.pk, reason="The site's operator started it again.")
