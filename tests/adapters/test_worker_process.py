"""A real Celery worker, stopped and killed in the middle of a training: nothing hangs and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from django.db import connection

from adapters.models import TrainingJob, Version
from adapters.services import submit_training, sweep_training
from config import stack
from tests.adapters.test_tasks import QUICK, trained_voice

__all__ = ["trained_voice"]
ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.model, pytest.mark.usefixtures("base_model")]
State = TrainingJob.State


@pytest.fixture
def start_worker(own_folders, settings) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """The training worker as `manage.py up` starts it, on this test's database and folders."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "IDIOLECT_VAR": str(settings.VAR),
        "IDIOLECT_ADAPTER_STORE": str(settings.ADAPTER_STORE),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
    }
    started = []

    def start() -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            "celery",
            "--app",
            "config",
            "--quiet",
            *stack.worker("training", concurrency=1),
        ]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


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
