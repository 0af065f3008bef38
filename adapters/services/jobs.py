"""The moves of a training job: taken, told about, given back, finished. Each is one conditional update.
Knows who may move a job: the worker that holds this attempt. Knows nothing of children, adapters or versions."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, QuerySet
from django.utils import timezone

from accounts.models import User
from adapters.errors import say
from adapters.models import TrainingEvent, TrainingJob
from adapters.services import bells, checkpoints

CANCELLED: Final = "You cancelled this training. Your writing is as it was; train again whenever you like."
CANCELLED_WAITING: Final = "You cancelled this training before it began."
CONTINUED: Final = "You had this training continued."

Jobs = QuerySet[TrainingJob]


class Lost(Exception):
    """The job is not ours any more: taken over by somebody else, ended, or deleted with its voice."""


def claim() -> TrainingJob | None:
    """Take the queued job whose turn it is; None when there is none that may begin.

    Any number of workers may ask at once: each gets another job, and none waits for another's transaction.
    """
    at_once = settings.TRAINING_AT_ONCE_PER_AUTHOR
    full: set[int] = set()
    with transaction.atomic():
        while True:
            now = timezone.now()
            waiting = TrainingJob.objects.claimable(now=now, at_once=at_once).exclude(voice__owner__in=full)
            job = waiting.select_related("voice__owner").select_for_update(of=("self",), skip_locked=True).first()
            if job is None:
                return None
            # One author's jobs are counted one after another: two workers may each have seen the last free place.
            owner = User.objects.select_for_update(no_key=True).get(pk=job.voice.owner_id)
            if TrainingJob.objects.filter(voice__owner=owner, state=TrainingJob.State.RUNNING).count() < at_once:
                break
            full.add(owner.pk)
        TrainingJob.objects.filter(pk=job.pk).update(
            state=TrainingJob.State.RUNNING,
            attempt=F("attempt") + 1,
            interrupted=False,
            not_before=None,
            started_at=now,
            heartbeat_at=now,
        )
    return TrainingJob.objects.select_related("voice__owner").get(pk=job.pk)


def held(job: TrainingJob, *, silent_since: datetime | None = None) -> Jobs:
    """The row of `job` as long as it is in the attempt that `job` was claimed in.

    With `silent_since`, only while no heartbeat has come after that moment: the sweeper's way to hold a job.
    """
    rows = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.RUNNING, attempt=job.attempt)
    return rows.filter(heartbeat_at__lt=silent_since) if silent_since else rows


def beat(job: TrainingJob) -> None:
    """Say that the job's worker lives. Raises Lost."""
    if not held(job).update(heartbeat_at=timezone.now()):
        raise Lost(job.pk)


def cancel_requested(job: TrainingJob) -> bool:
    """Whether its author wants it to stop. Raises Lost."""
    asked = held(job).values_list("cancel_requested", flat=True).first()
    if asked is None:
        raise Lost(job.pk)
    return asked


def record(job: TrainingJob, kind: str, data: dict[str, Any]) -> None:
    """Keep an event of the job; it counts as a heartbeat. Raises Lost."""
    with transaction.atomic():
        beat(job)
        _append(job.pk, kind, data)


def saved(job: TrainingJob, step: int) -> None:
    """A checkpoint after `step` is on the disk; it counts as a heartbeat. Raises Lost."""
    if not held(job).update(checkpoint_step=step, heartbeat_at=timezone.now()):
        raise Lost(job.pk)


def requeue(rows: Jobs, job_id: int, *, reason: str, refund: bool = False, delay: float = 0) -> bool:
    """Back into the queue, for `reason` in words. False when not held.

    With `refund` the attempt does not count. Only the worker that holds the job may ask for that: the next one gets the
    same number, and a worker that does not know that it lost the job would take itself for that one.
    """
    now = timezone.now()
    with transaction.atomic():
        moved = rows.update(
            state=TrainingJob.State.QUEUED,
            attempt=F("attempt") - (1 if refund else 0),
            interrupted=True,
            not_before=now + timedelta(seconds=delay) if delay else None,
            heartbeat_at=now,
        )
        if moved:
            _append(job_id, "requeued", {"reason": reason})
            bells.ring(bells.TRAINING, job_id, delay=delay)
    return bool(moved)


def retry_or_fail(rows: Jobs, job: TrainingJob, *, reason: str, error: str, message: str) -> bool:
    """After bad luck: once more, a little later each time, until the attempts are used up."""
    tried = job.attempt - job.attempts_before
    if tried < settings.TRAINING_ATTEMPTS:
        return requeue(rows, job.pk, reason=reason, delay=5 * (tried - 1))
    return finish(rows, job.pk, outcome=TrainingJob.Outcome.FAILED, error=error, message=message, keep_checkpoint=True)


def cancel(rows: Jobs, job_id: int, *, message: str = CANCELLED) -> bool:
    """End a job because its author wants it; what was saved stays, so that it can be continued. False when not held."""
    return finish(rows, job_id, outcome=TrainingJob.Outcome.CANCELLED, message=message, keep_checkpoint=True)


def resume(job: TrainingJob) -> bool:
    """Queue an ended job again that has a checkpoint. False when it has none any more or is active by now.

    Raises IntegrityError when another job of its voice is active.
    """
    ended = TrainingJob.objects.filter(pk=job.pk, state=TrainingJob.State.FINISHED).exclude(checkpoint_step=None)
    with transaction.atomic():
        moved = ended.update(
            state=TrainingJob.State.QUEUED,
            outcome="",
            message="",
            error="",
            cancel_requested=False,
            attempts_before=F("attempt"),
            not_before=None,
            heartbeat_at=timezone.now(),
            finished_at=None,
        )
        if moved:
            _append(job.pk, "continued", {"reason": CONTINUED})
            bells.ring(bells.TRAINING, job.pk)
    return bool(moved)


def finish(
    rows: Jobs,
    job_id: int,
    *,
    outcome: TrainingJob.Outcome,
    message: str,
    error: str = "",
    keep_checkpoint: bool = False,
    **data: Any,
) -> bool:
    """End a job, and tell it with `data` in its last event. False when not held."""
    with transaction.atomic():
        moved = rows.update(
            state=TrainingJob.State.FINISHED,
            outcome=outcome,
            message=message[:500],
            error=error,
            interrupted=False,
            finished_at=timezone.now(),
            **({} if keep_checkpoint else {"checkpoint_step": None}),
        )
        if moved and not keep_checkpoint:
            transaction.on_commit(partial(checkpoints.delete, job_id))
        if moved:
            _append(job_id, "finished", {"outcome": outcome, "message": message, "error": error, **data})
    return bool(moved)


def worker_lost() -> str:
    """What is said when the last attempt lost its worker."""
    return say("training.worker_lost", attempts=settings.TRAINING_ATTEMPTS)


def _append(job_id: int, kind: str, data: dict[str, Any]) -> None:
    # The caller has just updated the job's row: whoever comes second waits there, so no two events get one number,
    # and none becomes visible before the one in front of it.
    last = TrainingEvent.objects.filter(job=job_id).aggregate(last=Max("seq"))["last"] or 0
    TrainingEvent.objects.create(job_id=job_id, seq=last + 1, kind=kind, data=data)
