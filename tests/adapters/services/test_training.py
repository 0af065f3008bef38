"""Training is asked for, waits, is cancelled."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from adapters.models import TrainingJob, Voice
from adapters.services import (
    UserError,
    cancel_training,
    create_voice,
    default_briefs,
    jobs,
    queue_position,
    set_included,
    submit_training,
)
from adapters.services.briefs import NEUTRAL
from adapters.training.recipe import Recipe

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "own_folders")]
State, Outcome = TrainingJob.State, TrainingJob.Outcome


def other_job(author, name: str) -> TrainingJob:
    voice = create_voice(owner=author, name=name)
    return TrainingJob.objects.create(voice=voice, recipe={}, heartbeat_at=timezone.now())


def test_a_training_is_queued_with_a_recipe_for_its_size_and_a_worker_is_rung_for(job, rung, author):
    assert (job.state, job.outcome, job.requested_by) == (State.QUEUED, "", author)
    assert Recipe.from_dict(job.recipe).rank == 8
    assert rung == [("run_training", job.pk)]


def test_a_recipe_may_be_given(ready_voice):
    recipe = Recipe(rank=4, epochs=1)
    assert Recipe.from_dict(submit_training(voice=ready_voice, by=ready_voice.owner, recipe=recipe).recipe) == recipe


class TestWhatItWritesOnTheWay:
    def test_is_about_the_newest_titles_and_something_that_is_everybodys(self, job):
        newest = list(job.voice.samples.values_list("title", flat=True)[:2])
        assert job.sample_briefs == [*newest, NEUTRAL]

    def test_is_about_something_also_where_no_post_has_a_title(self, ready_voice):
        ready_voice.samples.update(title="")
        assert default_briefs(voice=ready_voice) == [NEUTRAL]

    def test_may_be_chosen(self, ready_voice):
        job = submit_training(voice=ready_voice, by=ready_voice.owner, briefs=["  Frost \t on glass", "", "Rain"])
        assert job.sample_briefs == ["Frost on glass", "Rain"]

    @pytest.mark.parametrize(("briefs", "words"), [(["a", "b", "c", "d"], "4 subjects"), (["x" * 201], "200 char")])
    def test_has_its_limits(self, ready_voice, briefs, words):
        with pytest.raises(UserError, match=words):
            submit_training(voice=ready_voice, by=ready_voice.owner, briefs=briefs)
        assert not TrainingJob.objects.exists()


def test_too_little_writing_is_refused_with_what_is_missing(voice, write):
    write(voice, 100)
    with pytest.raises(UserError, match="4 more posts"):
        submit_training(voice=voice, by=voice.owner)


def test_writing_that_is_left_out_does_not_count(ready_voice):
    for sample in ready_voice.samples.all()[:2]:
        set_included(sample=sample, included=False)
    with pytest.raises(UserError):
        submit_training(voice=ready_voice, by=ready_voice.owner)


def test_a_voice_is_trained_once_at_a_time(job):
    with pytest.raises(UserError, match="already being trained"):
        submit_training(voice=job.voice, by=job.voice.owner)


def test_of_two_clicks_at_once_one_wins(ready_voice):
    outcomes = []

    def click():
        try:
            outcomes.append(submit_training(voice=Voice.objects.get(), by=ready_voice.owner).state)
        except UserError as error:
            outcomes.append(error.id)
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert sorted(outcomes) == ["queued", "training.active", "training.active", "training.active"]


def test_the_broker_may_be_down(ready_voice, monkeypatch):
    from kombu.exceptions import OperationalError

    from adapters.services import bells

    def send_task(*_, **__):
        raise OperationalError("nobody listens")

    monkeypatch.setattr(bells.app, "send_task", send_task)
    assert submit_training(voice=ready_voice, by=ready_voice.owner).state == State.QUEUED


def test_a_queued_training_is_cancelled_at_once_and_the_voice_can_be_trained_again(job):
    cancel_training(job=job)
    job.refresh_from_db()
    assert (job.state, job.outcome) == (State.FINISHED, Outcome.CANCELLED)
    assert [event.kind for event in job.events.all()] == ["finished"]
    assert jobs.claim() is None
    submit_training(voice=job.voice, by=job.voice.owner)


def test_cancelling_a_running_training_asks_its_worker(job):
    running = jobs.claim()
    assert not jobs.cancel_requested(running)
    cancel_training(job=job)
    assert jobs.cancel_requested(running)
    job.refresh_from_db()
    assert job.state == State.RUNNING


def test_cancelling_a_training_whose_worker_is_gone_ends_it(job):
    jobs.claim()
    TrainingJob.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    cancel_training(job=job)
    job.refresh_from_db()
    assert job.outcome == Outcome.CANCELLED


def test_cancelling_what_is_over_changes_nothing(job):
    running = jobs.claim()
    jobs.finish(jobs.held(running), job.pk, outcome=Outcome.FAILED, message="It broke.")
    cancel_training(job=job)
    job.refresh_from_db()
    assert (job.outcome, job.cancel_requested, job.events.count()) == (Outcome.FAILED, False, 1)


def test_the_queue_counts_what_comes_first(author, job):
    second, third = other_job(author, "Second"), other_job(author, "Third")
    assert [queue_position(job=each) for each in (job, second, third)] == [0, 1, 2]
    jobs.claim()
    job.refresh_from_db()
    assert [queue_position(job=each) for each in (job, second, third)] == [0, 1, 2]
    cancel_training(job=second)
    assert queue_position(job=third) == 1


def test_only_one_of_many_workers_gets_a_job(job):
    claimed = []

    def work():
        try:
            claimed.append(jobs.claim())
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    [held] = [each for each in claimed if each]
    assert held.attempt == 1


def test_events_written_at_the_same_moment_are_numbered_without_a_gap(job):
    running = jobs.claim()

    def tell():
        try:
            for _ in range(20):
                jobs.record(running, "step", {"step": 1})
        finally:
            connection.close()

    tellers = [threading.Thread(target=tell) for _ in range(3)]
    for teller in tellers:
        teller.start()
    for teller in tellers:
        teller.join()
    assert list(job.events.order_by("seq").values_list("seq", flat=True)) == list(range(1, 61))
