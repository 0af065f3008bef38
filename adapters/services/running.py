"""Running a training job in a worker: feeds the trainer's process, keeps its events, listens for cancel and stop.
Knows the order of things and who has the last word. Knows nothing of tensors or pages."""

from __future__ import annotations

import logging
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from django.conf import settings

from adapters.errors import say
from adapters.models import TrainingJob
from adapters.services import checkpoints, jobs
from adapters.services.estimates import Remaining
from adapters.services.stopping import STOPPING
from adapters.services.versions import another, publish
from adapters.training.recipe import Recipe
from adapters.training.spec import Spec

log = logging.getLogger(__name__)

HEARTBEAT: Final = 5.0
LISTEN: Final = 0.4
# The trainer stops within a second or two. One that does not is killed: nobody waits longer than five.
PATIENCE: Final = 3.0

Event = dict[str, Any]
Wish = Literal["cancel", "stop"]


class Child(Protocol):
    """The parent's side of the trainer's process (see `adapters.training.process`)."""

    def train(self, job: str, spec: Spec) -> Iterator[Event | None]: ...
    def cancel(self, job: str) -> None: ...
    def abandon(self, job: str) -> bool: ...


def run_next(*, child: Child) -> bool:
    """Train the queued job whose turn it is to its end. False when there is none for this worker to take."""
    job = None if STOPPING.is_set() else jobs.claim()  # else the row stays queued, and another worker is rung for
    if job is not None:
        _run(job, child)
    return job is not None


def _run(job: TrainingJob, child: Child) -> None:
    folders = Path(settings.VAR) / "training"
    for left in folders.glob(f"{job.pk}-*"):  # by a worker that was killed
        shutil.rmtree(left, ignore_errors=True)
    folder = folders / f"{job.pk}-{job.attempt}"
    folder.mkdir(parents=True)
    try:
        last, wish = _train(job, child, folder)
        _end(job, last, wish)
    except jobs.Lost:
        log.warning("training %s is not ours any more", job.pk)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _train(job: TrainingJob, child: Child, folder: Path) -> tuple[Event, Wish | None]:
    # A name of its own: the end of an earlier attempt, still on its way, is not taken for the end of this one.
    name = f"{job.pk}-{job.attempt}-{uuid.uuid4().hex[:8]}"
    listening, remaining = _Listening(job=job), Remaining()
    # Leaving early, as when the job is lost, closes the iterator, and that cancels the job in the child.
    with closing(child.train(name, _spec(job, folder))) as events:  # type: ignore[type-var]
        for event in events:
            if event is not None:
                if event["kind"] in {"saved", "cancelled", "failed"}:
                    return event, listening.wish
                _keep(job, event, remaining)
            if listening.hears():
                child.cancel(name)
            if listening.has_waited() and not child.abandon(name):
                # Others are in training in the same process: it stays, and this job is left to end by itself.
                return {"kind": "cancelled"}, listening.wish
    raise AssertionError("the trainer ended without a last word")


def _keep(job: TrainingJob, event: Event, remaining: Remaining) -> None:
    if event["kind"] == "checkpoint":
        jobs.saved(job, event["step"])  # nothing happened that an author would watch
        return
    told = _told(event)
    if event["kind"] == "step":
        left = remaining.after(event)
        told |= {"eta_low": round(left.low, 1), "eta_high": round(left.high, 1)}
    jobs.record(job, event["kind"], told)


@dataclass(kw_only=True)
class _Listening:
    """Between events: heartbeats out, wishes in."""

    job: TrainingJob
    wish: Wish | None = None
    _wished_at: float = 0.0
    _heard_at: float = 0.0
    _beat_at: float = 0.0

    def hears(self) -> bool:
        """Whether somebody has just wished that the job ends."""
        now = time.monotonic()
        if now - self._beat_at >= HEARTBEAT:
            self._beat_at = now
            jobs.beat(self.job)
        if self.wish or now - self._heard_at < LISTEN:
            return False
        self._heard_at = now
        if STOPPING.is_set():
            self.wish = "stop"
        elif jobs.cancel_requested(self.job):
            self.wish = "cancel"
        self._wished_at = now
        return self.wish is not None

    def has_waited(self) -> bool:
        return self.wish is not None and time.monotonic() - self._wished_at > PATIENCE


def _end(job: TrainingJob, last: Event, wish: Wish | None) -> None:
    held = jobs.held(job)
    # Asked again here, because it may have been wished for in the moment in which the trainer ended.
    if wish == "cancel" or jobs.cancel_requested(job):
        jobs.cancel(held, job.pk)
    elif last["kind"] == "saved":
        _publish(job, last)
    # The system that stops this worker often stops its child in the same moment.
    elif wish == "stop" or STOPPING.wait(1 if last["kind"] == "failed" and last["infrastructure"] else 0):
        jobs.requeue(held, job.pk, reason="The site is being restarted.", refund=True)
    elif last["kind"] == "cancelled":
        jobs.retry_or_fail(held, job, reason="The trainer stopped by itself.", **_child_died())
    elif last["infrastructure"]:
        log.error("training %s failed: %s", job.pk, last.get("detail") or last["message"])
        jobs.retry_or_fail(held, job, reason=last["message"], error=last["error"], message=last["message"])
    else:
        jobs.finish(held, job.pk, outcome=TrainingJob.Outcome.FAILED, error=last["error"], message=last["message"])


def _publish(job: TrainingJob, saved: Event) -> None:
    jobs.record(job, "saved", _told(saved))
    try:
        publish(job=job, saved=saved)
    except OSError:
        log.exception("the adapter of training %s could not be stored", job.pk)
        error = "training.not_stored"
        jobs.finish(jobs.held(job), job.pk, outcome=TrainingJob.Outcome.FAILED, error=error, message=say(error))


def _child_died() -> dict[str, str]:
    error = "training.child_died"
    return {"error": error, "message": say(error, attempts=settings.TRAINING_ATTEMPTS)}


def _spec(job: TrainingJob, folder: Path) -> Spec:
    posts = checkpoints.posts_of(job)
    return Spec(
        posts=posts,
        recipe=Recipe.from_dict(job.recipe),
        voice=job.voice.api_name,
        out=folder,
        checkpoint=checkpoints.prepare(job, posts),
        sample_briefs=job.sample_briefs[: settings.TRAINING_SAMPLES],
        texts=settings.TRAINING_TEXTS,
        other_voice=another(job),
        manifest={"job": job.pk, "attempt": job.attempt},
    )


def _told(event: Event) -> dict[str, Any]:
    # The manifest is the version's, and folders are nobody's business.
    return {name: value for name, value in event.items() if name not in {"job", "kind", "folder", "manifest"}}
