"""A worker runs a training whose trainer follows a script: every way in which it can end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from adapters.models import TrainingJob, Version
from adapters.services import cancel_training, delete_voice, jobs, running, sweep_training
from adapters.services.running import run_next
from adapters.services.stopping import STOPPING
from adapters.services.versions import store
from tests.adapters.conftest import ScriptedChild, failed, saved

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "own_folders")]
State, Outcome = TrainingJob.State, TrainingJob.Outcome
CANCELLED = {"kind": "cancelled", "step": 1}
STEP = {"kind": "step", "step": 1, "steps": 9, "loss": 3.0, "eta_seconds": 8.0}


def run(job: TrainingJob, *script: object) -> ScriptedChild:
    child = ScriptedChild(*script)
    run_next(child=child)
    job.refresh_from_db()
    return child


def kinds(job: TrainingJob) -> list[str]:
    return list(job.events.order_by("seq").values_list("kind", flat=True))


def until_cancelled(child: ScriptedChild, spec: object) -> Iterator[dict[str, object] | None]:
    """A trainer that is at work until it is asked to stop."""
    while not child.cancelled.wait(0.1):
        yield None
    yield CANCELLED


def until_killed(child: ScriptedChild, spec: object) -> Iterator[dict[str, object] | None]:
    """A trainer that is at work and does not listen."""
    while not child.killed.wait(0.1):
        yield None
    yield failed(infrastructure=True)


class TestAVoiceThatIsBetter:
    def test_goes_live_with_its_files_manifest_and_figures(self, job):
        child = run(job, {"kind": "loading"}, STEP, None, saved(bits=1.1, base=1.25))
        version = Version.objects.get()
        assert (version.number, version.status, version.job, version.voice) == (1, "live", job, job.voice)
        assert (version.base_model, version.base_digest) == ("base", "b" * 64)
        assert version.metrics["gain"] == pytest.approx(0.12)
        assert version.recipe == job.recipe
        assert store().verify(version.digest)
        assert (job.state, job.outcome) == (State.FINISHED, Outcome.PUBLISHED)
        assert job.message == "12 % less surprised by your writing than before."
        assert kinds(job) == ["loading", "step", "saved", "finished"]
        [spec] = child.specs
        assert len(spec.posts) == 6
        assert not spec.out.exists(), "the trainer's folder is cleared away"

    def test_its_last_event_says_how_it_ended_and_no_event_names_a_folder(self, job):
        run(job, saved())
        last = job.events.get(kind="finished").data
        assert (last["outcome"], last["version"], last["bits_per_byte"]) == ("published", 1, 1.1)
        assert "folder" not in str(list(job.events.values_list("data", flat=True)))

    def test_takes_the_place_of_the_live_one(self, job):
        run(job, saved(weights=b"first"))
        second = TrainingJob.objects.create(voice=job.voice, recipe=job.recipe)
        run(second, saved(weights=b"second"))
        assert list(Version.objects.order_by("number").values_list("number", "status")) == [(1, "retired"), (2, "live")]

    @pytest.mark.parametrize("number", [0, 1, 3])
    def test_writes_about_as_many_of_its_briefs_as_the_machine_has_time_for(self, job, settings, number):
        settings.TRAINING_SAMPLES = number
        child = run(job, saved())
        assert child.specs[0].sample_briefs == job.sample_briefs[:number]
        assert len(job.sample_briefs) == 3

    def test_tells_with_each_step_between_what_times_it_will_end(self, job):
        step = {**STEP, "eta_seconds": 100.0}
        run(job, step, saved())
        told = job.events.get(kind="step").data
        assert told["eta_low"] < 100 < told["eta_high"]

    def test_reads_only_what_is_included(self, job):
        left_out = job.voice.samples.first()
        job.voice.samples.filter(pk=left_out.pk).update(included=False)
        child = run(job, saved())
        assert left_out.pk not in [post.id for post in child.specs[0].posts]


@pytest.mark.parametrize("bits", [1.25, 1.3])
def test_a_voice_that_is_not_better_stays_out_and_it_is_said_what_to_try(job, bits):
    run(job, saved(bits=bits, base=1.25))
    version = Version.objects.get()
    assert (version.status, job.outcome) == ("rejected", Outcome.NOT_BETTER)
    assert "no better than the base model" in job.message
    assert "train again" in job.message
    assert not Version.objects.filter(pk=version.pk).usable().exists()


def test_a_voice_that_is_not_better_leaves_the_live_one_alone(job):
    run(job, saved(weights=b"first"))
    run(TrainingJob.objects.create(voice=job.voice, recipe=job.recipe), saved(bits=1.4, weights=b"second"))
    assert list(Version.objects.order_by("number").values_list("number", "status")) == [(1, "live"), (2, "rejected")]


class TestCancelling:
    def test_ends_the_training(self, job):
        child = run(job, STEP, lambda *_: cancel_training(job=job), until_cancelled)
        assert (job.outcome, kinds(job)) == (Outcome.CANCELLED, ["step", "finished"])
        assert not child.killed.is_set()

    def test_kills_a_trainer_that_does_not_listen_within_five_seconds(self, job):
        started = time.monotonic()
        run(job, lambda *_: cancel_training(job=job), until_killed)
        assert job.outcome == Outcome.CANCELLED
        assert running.PATIENCE < time.monotonic() - started < 5

    def test_leaves_such_a_trainer_alone_when_it_trains_others_too(self, job):
        started = time.monotonic()
        child = ScriptedChild(lambda *_: cancel_training(job=job), until_killed)
        child.shared = True
        run_next(child=child)
        job.refresh_from_db()
        assert (job.outcome, child.killed.is_set()) == (Outcome.CANCELLED, False)
        assert time.monotonic() - started < 5

    def test_wins_over_a_voice_that_is_finished_in_the_same_moment(self, job):
        run(job, lambda *_: cancel_training(job=job), saved())
        assert job.outcome == Outcome.CANCELLED
        assert not Version.objects.exists()


class TestFailing:
    def test_because_of_the_input_ends_it_with_a_sentence(self, job, rung):
        run(job, failed(infrastructure=False, error="training.bad_input", message="This cannot be trained."))
        assert (job.outcome, job.error, job.message) == (
            Outcome.FAILED,
            "training.bad_input",
            "This cannot be trained.",
        )
        assert len(rung) == 1

    def test_because_of_the_machine_tries_again_and_gives_up_in_the_end(self, job, rung, settings):
        for attempt in range(1, settings.TRAINING_ATTEMPTS):
            run(job, STEP, failed(infrastructure=True))
            assert (job.state, job.attempt) == (State.QUEUED, attempt)
        assert run(job, saved()).specs == [], "not so soon after the second time"
        TrainingJob.objects.update(not_before=timezone.now())
        run(job, STEP, failed(infrastructure=True))
        assert (job.state, job.outcome, job.message) == (State.FINISHED, Outcome.FAILED, "It broke.")
        assert kinds(job) == ["step", "requeued", "step", "requeued", "step", "finished"]
        assert len(rung) == settings.TRAINING_ATTEMPTS

    def test_once_does_not_keep_it_from_succeeding(self, job):
        run(job, failed(infrastructure=True))
        run(job, STEP, saved())
        assert job.outcome == Outcome.PUBLISHED
        assert list(job.events.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4]

    def test_to_store_the_voice_says_so(self, job, settings, own_folders):
        settings.ADAPTER_STORE.write_text("in the way")
        run(job, saved())
        assert (job.outcome, job.error) == (Outcome.FAILED, "training.not_stored")
        assert not Version.objects.exists()


class TestAWorkerThatIsToldToStop:
    def test_gives_the_job_back_and_the_attempt_does_not_count(self, job, rung):
        child = run(job, STEP, lambda *_: STOPPING.set(), until_cancelled)
        assert (job.state, job.attempt, job.outcome) == (State.QUEUED, 0, "")
        assert kinds(job) == ["step", "requeued"]
        assert rung == [("run_training", job.pk)] * 2
        assert not child.killed.is_set()

    def test_takes_up_no_other(self, job):
        STOPPING.set()
        assert run(job, saved()).specs == []
        assert job.state == State.QUEUED

    def test_is_forgiven_a_trainer_that_was_stopped_first(self, job):
        threading.Timer(0.3, STOPPING.set).start()
        run(job, failed(infrastructure=True))
        assert (job.state, job.attempt) == (State.QUEUED, 0)

    def test_still_publishes_what_is_finished(self, job):
        run(job, lambda *_: STOPPING.set(), saved())
        assert job.outcome == Outcome.PUBLISHED

    def test_hands_over_to_the_next_one(self, job):
        run(job, lambda *_: STOPPING.set(), until_cancelled)
        STOPPING.clear()
        run(job, STEP, saved())
        assert job.outcome == Outcome.PUBLISHED


class TestTheSameMessageTwice:
    def test_runs_a_finished_job_no_more(self, job):
        run(job, saved())
        assert run(job, saved()).specs == []

    def test_leaves_a_running_job_to_its_worker(self, job):
        jobs.claim()
        assert run(job, saved()).specs == []
        assert job.state == State.RUNNING

    def test_of_a_job_that_is_gone_does_nothing(self, job):
        job.voice.delete()
        assert not run_next(child=ScriptedChild(saved()))


def grow_old(job: TrainingJob) -> None:
    TrainingJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))


class TestTheSweeper:
    def test_takes_up_a_job_whose_worker_died(self, job, rung):
        jobs.claim()
        grow_old(job)
        for _ in range(2):
            sweep_training()
        job.refresh_from_db()
        assert (job.state, kinds(job)) == (State.QUEUED, ["requeued"])
        assert rung == [("run_training", job.pk)] * 2
        run(job, saved())
        assert job.outcome == Outcome.PUBLISHED

    def test_gives_up_after_the_last_attempt_and_says_so(self, job, settings):
        for _ in range(settings.TRAINING_ATTEMPTS):
            TrainingJob.objects.update(not_before=None)
            jobs.claim()
            grow_old(job)
            sweep_training()
        job.refresh_from_db()
        assert (job.outcome, job.error) == (Outcome.FAILED, "training.worker_lost")
        assert "went away 3 times" in job.message

    def test_ends_a_job_that_its_author_cancelled(self, job):
        jobs.claim()
        cancel_training(job=job)
        grow_old(job)
        sweep_training()
        job.refresh_from_db()
        assert job.outcome == Outcome.CANCELLED

    def test_leaves_a_job_alone_whose_worker_lives(self, job):
        running = jobs.claim()
        grow_old(job)
        jobs.beat(running)
        sweep_training()
        job.refresh_from_db()
        assert (job.state, kinds(job)) == (State.RUNNING, [])

    def test_rings_again_for_a_queued_job_now_and_then(self, job, rung):
        rung.clear()
        sweep_training()
        assert rung == []
        grow_old(job)
        for _ in range(3):
            sweep_training()
        assert rung == [("run_training", job.pk)]


class TestAWorkerThatLostItsJob:
    def test_to_the_sweeper_says_nothing_more_and_publishes_nothing(self, job):
        def swept(child, spec):
            grow_old(job)
            sweep_training()

        child = run(job, swept, STEP, saved())
        assert (job.state, kinds(job)) == (State.QUEUED, ["requeued"])
        assert child.left, "leaving the trainer's events cancels the job there"
        assert not Version.objects.exists()

    def test_does_not_disturb_the_worker_that_has_it_now(self, job):
        def taken_over(child, spec):
            grow_old(job)
            sweep_training()
            jobs.claim()

        run(job, taken_over, STEP)
        assert (job.state, job.attempt) == (State.RUNNING, 2)

    def test_at_the_last_moment_leaves_no_files_behind(self, job, monkeypatch):
        late = jobs.claim()
        grow_old(job)
        sweep_training()
        monkeypatch.setattr(jobs, "record", lambda *_: None)
        monkeypatch.setattr(jobs, "claim", lambda: late)
        monkeypatch.setattr(jobs, "cancel_requested", lambda _: False)
        run(job, saved())
        assert (job.state, Version.objects.count(), list(store().digests())) == (State.QUEUED, 0, [])

    def test_because_its_voice_was_deleted_stops_training(self, job):
        child = ScriptedChild(STEP, lambda *_: delete_voice(voice=job.voice), STEP, saved())
        run_next(child=child)
        assert child.left
        assert list(store().digests()) == []


def test_a_worker_shows_that_it_lives_while_the_trainer_is_silent(job, monkeypatch):
    monkeypatch.setattr(running, "HEARTBEAT", 0.05)
    beats = []

    def silent(child, spec):
        time.sleep(0.06)
        beats.append(TrainingJob.objects.get(pk=job.pk).heartbeat_at)

    run(job, *[silent] * 4, saved())
    assert len(set(beats)) >= 3


def test_a_fault_of_ours_leaves_the_job_to_the_sweeper_and_the_trainer_free(job):
    def broken(child, spec):
        raise ConnectionError("the database is gone")

    child = ScriptedChild(broken)
    with pytest.raises(ConnectionError):
        run_next(child=child)
    job.refresh_from_db()
    assert (job.state, child.left) == (State.RUNNING, True)
    grow_old(job)
    sweep_training()
    run(job, saved())
    assert job.outcome == Outcome.PUBLISHED
