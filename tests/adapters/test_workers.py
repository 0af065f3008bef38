"""Real workers, two processes with a trainer's process each, whose steps are naps: they share one queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from django.utils import timezone

from adapters.models import TrainingEvent, TrainingJob
from adapters.services import bells, cancel_training, create_voice
from adapters.training.recipe import Recipe
from tests.adapters.conftest import Worker, wait_until

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
