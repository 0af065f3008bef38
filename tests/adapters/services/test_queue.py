"""Whose turn it is: fair between authors, each job to one worker, within limits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from adapters.models import TrainingJob
from adapters.services import Meter, UserError, create_voice, jobs, submit_training, training
from adapters.services.queue import queue_position, waiting
from adapters.training.recipe import readiness

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "own_folders")]
ENOUGH = Meter(posts=6, words=7000, tokens=9000, left_out=0, ready=readiness(6, 9000))
State, Outcome = TrainingJob.State, TrainingJob.Outcome


@pytest.fixture
def queue(make_author) -> Callable[..., list[TrainingJob]]:
    """So many jobs of a new author, each of a voice of its own."""

    def add(count: int, author=None) -> list[TrainingJob]:
        owner = author or make_author()
        voices = [create_voice(owner=owner, name=f"Voice {number}") for number in range(count)]
        return [TrainingJob.objects.create(voice=voice, recipe={}, heartbeat_at=timezone.now()) for voice in voices]

    return add


def finish(job: TrainingJob) -> None:
    jobs.finish(jobs.held(job), job.pk, outcome=Outcome.FAILED, message="It broke.")


def one_after_another() -> list[int]:
    """The jobs as one worker takes them, each when the one before is done."""
    taken = []
    while job := jobs.claim():
        taken.append(job.pk)
        finish(job)
    return taken


def test_a_long_queue_of_one_author_does_not_hold_up_the_others(queue):
    many, few, one = queue(6), queue(2), queue(1)
    expected = [many[0], few[0], one[0], many[1], few[1], many[2], many[3], many[4], many[5]]
    assert waiting() == [job.pk for job in expected]
    assert one_after_another() == [job.pk for job in expected]


def test_who_comes_later_comes_before_the_next_one_of_who_was_just_served(queue):
    many = queue(3)
    running = jobs.claim()
    late = queue(1)
    assert [queue_position(job=job) for job in (*many[1:], *late)] == [2, 3, 1]
    finish(running)
    assert jobs.claim().pk == late[0].pk


def test_the_oldest_job_of_an_author_comes_first(queue):
    jobs_of_one = queue(3)
    assert one_after_another() == [job.pk for job in jobs_of_one]


def test_what_a_worker_had_to_leave_goes_on_before_all_others(queue):
    first, second = queue(2)
    left = jobs.claim()
    other = queue(1)
    jobs.requeue(jobs.held(left), left.pk, reason="The site is being restarted.", refund=True)
    assert waiting() == [first.pk, other[0].pk, second.pk]
    assert one_after_another() == [first.pk, other[0].pk, second.pk]


def test_what_has_to_wait_after_bad_luck_lets_others_pass(queue):
    [first], [second] = queue(1), queue(1)
    TrainingJob.objects.filter(pk=first.pk).update(not_before=timezone.now() + timedelta(minutes=1))
    assert jobs.claim().pk == second.pk
    assert jobs.claim() is None
    TrainingJob.objects.filter(pk=first.pk).update(not_before=timezone.now())
    assert jobs.claim().pk == first.pk


def test_one_author_may_have_so_many_in_training_and_others_pass(queue, settings):
    settings.TRAINING_AT_ONCE_PER_AUTHOR = 2
    many = queue(4)
    assert [jobs.claim().pk for _ in range(2)] == [job.pk for job in many[:2]]
    assert jobs.claim() is None
    [other] = queue(1)
    assert jobs.claim().pk == other.pk
    finish(TrainingJob.objects.get(pk=many[0].pk))
    assert jobs.claim().pk == many[2].pk


def together(count: int, work: Callable[[], object]) -> list[object]:
    """What `work` gives in so many threads that begin in the same moment."""
    given: list[object] = []
    gate = threading.Barrier(count)

    def run() -> None:
        gate.wait()
        try:
            given.append(work())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return given


def test_of_many_workers_each_gets_another_job(queue, settings):
    for _ in range(3):
        queue(2)
    taken = together(8, jobs.claim)
    assert sorted(job.pk for job in taken if job) == sorted(TrainingJob.objects.values_list("pk", flat=True))
    assert set(TrainingJob.objects.values_list("attempt", flat=True)) == {1}


def test_many_workers_at_once_keep_to_the_limit_of_an_author(queue, settings):
    settings.TRAINING_AT_ONCE_PER_AUTHOR = 2
    queue(6)
    taken = [job for job in together(6, jobs.claim) if job]
    assert len(taken) == TrainingJob.objects.filter(state=State.RUNNING).count() == 2


def test_a_job_that_somebody_else_is_just_moving_is_passed(queue):
    [first], [second] = queue(1), queue(1)
    with transaction.atomic():
        TrainingJob.objects.select_for_update().get(pk=first.pk)
        [taken] = together(1, jobs.claim)
    assert taken.pk == second.pk


class TestLimits:
    def test_of_one_author_are_told_with_what_to_do(self, ready_voice, queue, settings):
        settings.TRAINING_ACTIVE_PER_AUTHOR = 2
        queue(2, ready_voice.owner)
        with pytest.raises(UserError, match="2 of your trainings are waiting or running") as refused:
            submit_training(voice=ready_voice, by=ready_voice.owner)
        assert refused.value.id == "training.too_many_of_yours"
        cancelled = jobs.claim()
        finish(cancelled)
        submit_training(voice=ready_voice, by=ready_voice.owner)

    def test_of_the_site_count_what_waits(self, ready_voice, queue, settings):
        settings.TRAINING_QUEUE_LIMIT = 1
        queue(1)
        with pytest.raises(UserError, match="Too many trainings are waiting"):
            submit_training(voice=ready_voice, by=ready_voice.owner)
        jobs.claim()
        submit_training(voice=ready_voice, by=ready_voice.owner)

    def test_are_kept_when_many_come_at_once(self, ready_voice, make_author, settings, monkeypatch):
        settings.TRAINING_QUEUE_LIMIT = 2
        monkeypatch.setattr(training, "measure", lambda voice: ENOUGH)
        voices = [create_voice(owner=make_author(), name="Other") for _ in range(5)]

        def submit() -> str:
            voice = voices.pop()
            try:
                return submit_training(voice=voice, by=voice.owner).state
            except UserError as error:
                return error.id

        assert sorted(together(5, submit)) == ["queued"] * 2 + ["training.queue_full"] * 3
