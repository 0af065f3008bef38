"""Real workers, two processes with a trainer's process each, whose steps are naps: they share one queue."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import psutil
import pytest
from django.utils import timezone
from kombu import Connection
from redis import Redis

from adapters.models import TrainingEvent, TrainingJob
from adapters.services import bells, cancel_training, checkpoints, continue_training, create_voice, sweep_training
from adapters.training.recipe import Recipe
from config import embedded
from config.celery import app
from tests.adapters.conftest import Worker, wait_until
from tests.adapters.training.napping import STEPS_A_CHECKPOINT

pytestmark = pytest.mark.django_db(transaction=True)
State, Outcome = TrainingJob.State, TrainingJob.Outcome


@pytest.fixture
def start_napping(start_worker) -> Callable[..., Worker]:
    return lambda **environment: start_worker("tests.adapters.napping_worker", **environment)


def submit(owner, epochs: float) -> TrainingJob:
    voice = create_voice(owner=owner, name="Voice")
    recipe = Recipe(epochs=epochs).as_dict()
    job = TrainingJob.objects.create(voice=voice, recipe=recipe, heartbeat_at=timezone.now())
    bells.ring(bells.TRAINING, job.pk)
    return job


def trainer_of(job: TrainingJob) -> int:
    """The process that its latest attempt is in."""
    return job.events.filter(kind="prepared").latest("seq").data["pid"]


def test_two_workers_share_the_queue_and_train_nothing_twice(start_napping, make_author):
    for _ in range(2):
        start_napping(IDIOLECT_TRAIN_JOBS="2")
    authors = [make_author() for _ in range(3)]
    endless = [submit(authors[number % 3], epochs=100) for number in range(4)]
    wait_until(lambda: TrainingEvent.objects.filter(kind="step", data__step=1).count() == 4, "four at once", 60)
    assert sorted(Counter(map(trainer_of, endless)).values()) == [2, 2], "two in each process"
    wanted = [submit(authors[number % 3], epochs=1) for number in range(6)]
    for job in endless:
        cancel_training(job=job)
    wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of the queue", 60)

    jobs = list(TrainingJob.objects.order_by("pk"))
    assert [job.outcome for job in jobs] == [Outcome.CANCELLED] * 4 + [Outcome.PUBLISHED] * 6
    assert {job.attempt for job in jobs} == {1}
    assert TrainingEvent.objects.filter(kind="prepared").count() == len(endless + wanted)


def steps(job: TrainingJob) -> list[int]:
    return list(job.events.filter(kind="step").order_by("seq").values_list("data__step", flat=True))


def went_on_after(job: TrainingJob) -> int:
    """Where its last attempt went on; its steps lead there without a gap."""
    step = job.events.filter(kind="resumed").latest("seq").data["step"]
    before = job.events.filter(kind="resumed").latest("seq").seq
    assert job.events.filter(kind="step", seq__gt=before).earliest("seq").data["step"] == step + 1
    return int(step)


def test_a_worker_that_is_told_to_stop_saves_and_gives_its_jobs_back(start_napping, make_author):
    worker = start_napping(NAP_SECONDS="0.05", IDIOLECT_TRAIN_JOBS="2")
    jobs = [submit(make_author(), epochs=6) for _ in range(2)]
    wait_until(lambda: all(len(steps(job)) > 2 for job in jobs), "some steps of both", 60)
    [trainer] = psutil.Process(worker.pid).children()
    stopped_at = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=20)
    assert time.monotonic() - stopped_at < 8, "what the supervisor grants"
    wait_until(lambda: not trainer.is_running(), "the end of the trainer")
    for job in jobs:
        job.refresh_from_db()
        assert (job.state, job.attempt, job.interrupted) == (State.QUEUED, 0, True)
        assert job.events.get(kind="requeued").data == {"reason": "The site is being restarted."}
    start_napping()  # the jobs' own messages are there: nobody has to ring
    wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of both", 60)
    for job in jobs:
        job.refresh_from_db()
        assert (job.attempt, job.outcome) == (1, Outcome.PUBLISHED)
        assert steps(job) == list(range(1, 61)), "no step twice, none left out"
        assert list(job.events.order_by("seq").values_list("seq", flat=True)) == list(range(1, job.events.count() + 1))


def test_a_killed_trainer_costs_the_steps_since_the_last_checkpoint(start_napping, make_author):
    worker = start_napping(NAP_SECONDS="0.05")
    job = submit(make_author(), epochs=6)
    wait_until(lambda: len(steps(job)) > STEPS_A_CHECKPOINT + 1, "a checkpoint", 60)
    [trainer] = psutil.Process(worker.pid).children()
    trainer.kill()
    wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of the training", 60)
    job.refresh_from_db()
    assert (job.outcome, job.attempt) == (Outcome.PUBLISHED, 2)
    lost = job.events.get(kind="requeued").seq
    last = job.events.filter(kind="step", seq__lt=lost).latest("seq").data["step"]
    assert last - went_on_after(job) <= STEPS_A_CHECKPOINT


def test_a_killed_worker_costs_the_steps_since_the_last_checkpoint(start_napping, make_author, settings):
    worker = start_napping(NAP_SECONDS="0.05")
    job = submit(make_author(), epochs=6)
    wait_until(lambda: len(steps(job)) > STEPS_A_CHECKPOINT + 1, "a checkpoint", 60)
    worker.kill()  # and its trainer with it, as with the whole machine
    worker.wait()
    last = steps(job)[-1]
    settings.TRAINING_HEARTBEAT_TIMEOUT = 0
    sweep_training()
    start_napping()
    wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of the training", 60)
    job.refresh_from_db()
    assert (job.outcome, job.attempt) == (Outcome.PUBLISHED, 2)
    # What the trainer had saved, but nobody had heard of yet, is not lost either.
    assert last - went_on_after(job) <= STEPS_A_CHECKPOINT
    assert not checkpoints.folder(job.pk).exists()


def test_a_training_that_was_cancelled_is_continued_by_any_worker(start_napping, make_author):
    first = start_napping(NAP_SECONDS="0.05")
    job = submit(make_author(), epochs=6)
    wait_until(lambda: len(steps(job)) > 7, "some steps", 60)
    cancel_training(job=job)
    wait_until(lambda: not TrainingJob.objects.active().exists(), "the cancel", 5)
    first.kill()
    job.refresh_from_db()
    stopped_after = job.checkpoint_step
    assert stopped_after >= 7
    continue_training(job=job)
    start_napping()
    wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of the training", 60)
    job.refresh_from_db()
    assert (job.outcome, went_on_after(job)) == (Outcome.PUBLISHED, stopped_after)
    assert steps(job) == list(range(1, 61)), "no step twice, none left out"


def test_a_broker_that_is_killed_costs_nothing(start_napping, make_author, tmp_path, monkeypatch):
    data = tmp_path / "redis"
    with embedded.redis(data) as url:
        monkeypatch.setattr(bells.app, "send_task", lambda *args, **options: ring(url, *args, **options))
        start_napping(REDIS_URL=url, NAP_SECONDS="0.05")
        job = submit(make_author(), epochs=6)
        wait_until(lambda: steps(job), "the first step", 60)
        os.kill(Redis.from_url(url).info("server")["process_id"], signal.SIGKILL)
        wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of the training", 60)
    job.refresh_from_db()
    assert (job.outcome, job.attempt) == (Outcome.PUBLISHED, 1)
    with embedded.redis(data) as again:
        assert again == url
        submit(make_author(), epochs=1)
        wait_until(lambda: not TrainingJob.objects.active().exists(), "the end of the next one", 60)
    assert {job.outcome for job in TrainingJob.objects.all()} == {Outcome.PUBLISHED}


def ring(url: str, *args: object, **options: object) -> None:
    with Connection(url) as connection:
        type(app).send_task(app, *args, connection=connection, **options)
