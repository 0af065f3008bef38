"""A real Celery worker, stopped and killed in the middle of a training: nothing hangs and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import time

import psutil
import pytest

from adapters.models import TrainingJob, Version
from adapters.services import submit_training, sweep_training
from tests.adapters.conftest import wait_until
from tests.adapters.test_tasks import QUICK, trained_voice

__all__ = ["trained_voice"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.model, pytest.mark.usefixtures("base_model")]
State = TrainingJob.State


def children(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(worker.pid).children(recursive=True)


def steps(job: TrainingJob) -> int:
    return job.events.filter(kind="step").count()


def test_a_training_survives_a_worker_that_is_stopped_and_one_that_is_killed(trained_voice, start_worker, settings):
    job = submit_training(voice=trained_voice, by=trained_voice.owner, recipe=QUICK)

    worker = start_worker()
    wait_until(lambda: steps(job) >= 1, "the first step")
    [trainer] = children(worker)
    stopped_at = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=20)
    assert time.monotonic() - stopped_at < 8, "what the supervisor grants"
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.QUEUED, 0)
    assert job.events.get(kind="requeued").data == {"reason": "The site is being restarted."}
    wait_until(lambda: not trainer.is_running(), "the end of the trainer")

    before = steps(job)
    worker = start_worker()  # the job's own message is there: nobody has to ring
    wait_until(lambda: steps(job) > before, "the first step of the second worker")
    [trainer] = children(worker)
    worker.kill()
    worker.wait()
    wait_until(lambda: not trainer.is_running(), "the end of the trainer, which nobody told")
    job.refresh_from_db()
    assert (job.state, job.attempt) == (State.RUNNING, 1)

    settings.TRAINING_HEARTBEAT_TIMEOUT = 0
    sweep_training()
    job.refresh_from_db()
    assert job.state == State.QUEUED
    start_worker()
    wait_until(lambda: TrainingJob.objects.get().state == State.FINISHED, "the end of the training")
    job.refresh_from_db()
    assert (job.outcome, job.attempt) == (TrainingJob.Outcome.PUBLISHED, 2)
    assert Version.objects.get().status == Version.Status.LIVE
    assert list(job.events.order_by("seq").values_list("seq", flat=True)) == list(range(1, job.events.count() + 1))
