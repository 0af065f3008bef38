"""The real trainer, driven by the Celery task: to a live voice, cancelled and continued, and killed on the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date

import psutil
import pytest
from django.db import connection

from adapters import base_model as base
from adapters import tasks
from adapters.models import TrainingJob, Version
from adapters.services import cancel_training, continue_training, submit_training
from adapters.services.versions import store
from adapters.store import read_manifest
from adapters.training.recipe import Recipe

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("own_folders", "rung"),
    pytest.mark.model,
]
# A few hundred words are enough to foresee such writing better than the base model does.
QUICK = Recipe(rank=4, learning_rate=2e-3, epochs=0.08, windows_a_step=2, window_tokens=160, evaluations_an_epoch=4)


@pytest.fixture(autouse=True)
def no_texts_on_the_way(settings):
    """They take a CPU longer than the few steps."""
    settings.TRAINING_SAMPLES = 0


@pytest.fixture
def trained_voice(voice, write):
    """Enough writing, of which little is measured: the two newest texts are short."""
    for seed in range(5):
        write(voice, 900, seed, date=date(2020, 1, 1 + seed))
    for seed in (5, 6):
        write(voice, 60, seed, date=date(2024, 1, seed))
    return voice


@pytest.fixture(autouse=True)
def trainer(settings) -> Iterator[None]:
    settings.TRAINING_SAMPLES = 0  # each takes as long as several steps
    yield
    tasks.child().close()
    tasks.child.cache_clear()


def meanwhile(act: Callable[[], None]) -> threading.Thread:
    """Do something beside the task, in a thread with a connection of its own."""

    def work() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for(job: TrainingJob, kind: str, count: int = 1, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while job.events.filter(kind=kind).count() < count:
        assert time.monotonic() < end, f"no {kind!r} event after {seconds} s"
        time.sleep(0.05)


def test_writing_becomes_a_live_voice_whose_files_peft_loads(trained_voice, base_model):
    job = submit_training(voice=trained_voice, by=trained_voice.owner, recipe=QUICK)
    tasks.run_training(job.pk)
    job.refresh_from_db()
    assert (job.outcome, job.error) == (TrainingJob.Outcome.PUBLISHED, ""), job.message
    version = Version.objects.get()
    assert (version.status, version.number) == (Version.Status.LIVE, 1)
    assert version.base_digest == base_model.digest
    assert version.metrics["bits_per_byte"] < version.metrics["base_bits_per_byte"]
    assert set(version.manifest["data"]["train_posts"]) < set(trained_voice.samples.values_list("pk", flat=True))

    kinds = list(job.events.order_by("seq").values_list("kind", flat=True))
    assert [kind for kind in kinds if kind not in {"step", "evaluation"}] == [
        "loading",
        "prepared",
        "baseline",
        "assessing",
        "saved",
        "finished",
    ]
    assert "step" in kinds
    assert "evaluation" in kinds

    from peft import PeftModel

    folder = store().verify(version.digest)
    assert read_manifest(folder) == version.manifest
    model, _ = base.load(base_model.folder, device="cpu")
    voiced = PeftModel.from_pretrained(model, folder)
    assert voiced.peft_config["default"].r == QUICK.rank


def test_a_training_that_is_cancelled_ends_within_five_seconds_and_goes_on_where_it_was(trained_voice):
    recipe = replace(QUICK, epochs=0.25)
    job = submit_training(voice=trained_voice, by=trained_voice.owner, recipe=recipe)
    asked: list[float] = []

    def cancel() -> None:
        wait_for(job, "step")
        asked.append(time.monotonic())
        cancel_training(job=job)

    cancelling = meanwhile(cancel)
    tasks.run_training(job.pk)
    took = time.monotonic() - asked[0]
    cancelling.join()
    job.refresh_from_db()
    assert job.outcome == TrainingJob.Outcome.CANCELLED
    assert took < 5
    pid = tasks.child().pid
    if pid is None:
        return  # a busy machine: it had to be killed
    assert job.checkpoint_step >= 1

    saved_after = job.checkpoint_step
    continue_training(job=job)
    tasks.run_training(job.pk)
    job.refresh_from_db()
    assert job.outcome == TrainingJob.Outcome.PUBLISHED
    assert job.events.get(kind="resumed").data["step"] == saved_after
    steps = list(job.events.filter(kind="step").order_by("seq").values_list("data__step", flat=True))
    assert steps == list(range(1, len(steps) + 1)), "no step twice, none left out"
    assert tasks.child().pid == pid
    assert job.events.filter(kind="loading").count() == 1


def test_a_trainer_that_is_killed_on_the_way_costs_an_attempt_and_not_the_training(trained_voice, rung):
    job = submit_training(voice=trained_voice, by=trained_voice.owner, recipe=QUICK)

    def kill() -> None:
        wait_for(job, "step")
        psutil.Process(tasks.child().pid).kill()

    killing = meanwhile(kill)
    tasks.run_training(job.pk)
    killing.join()
    job.refresh_from_db()
    assert rung == [("run_training", job.pk)] * 2
    assert "ended unexpectedly" in job.events.get(kind="requeued").data["reason"]
    assert (job.attempt, job.outcome) == (2, TrainingJob.Outcome.PUBLISHED)
    assert list(job.events.order_by("seq").values_list("seq", flat=True)) == list(range(1, job.events.count() + 1))
