"""Trainings are saved where every worker finds them, go on where they stopped, and leave nothing behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from adapters.models import TrainingJob
from adapters.services import (
    UserError,
    cancel_training,
    checkpoints,
    continue_training,
    create_voice,
    delete_voice,
    jobs,
    set_included,
    submit_training,
    sweep_checkpoints,
    sweep_training,
)
from adapters.services.running import run_next
from adapters.services.stopping import STOPPING
from tests.adapters.conftest import ScriptedChild, failed, saved
from tests.adapters.services.test_running import grow_old, until_cancelled

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "own_folders")]
State, Outcome = TrainingJob.State, TrainingJob.Outcome


def save(child: ScriptedChild, spec: object) -> dict[str, object]:
    """The trainer writes a checkpoint after step 40."""
    spec.checkpoint.mkdir(parents=True, exist_ok=True)
    (spec.checkpoint / "state").write_text("40")
    return {"kind": "checkpoint", "step": 40}


def run(job: TrainingJob, *script: object) -> ScriptedChild:
    child = ScriptedChild(*script)
    assert run_next(child=child)
    job.refresh_from_db()
    return child


def is_kept(job: TrainingJob) -> bool:
    return (checkpoints.folder(job.pk) / "state").exists()


@pytest.fixture
def cancelled(job) -> TrainingJob:
    """A training that its author cancelled after step 40."""
    run(job, save, lambda *_: cancel_training(job=job), until_cancelled)
    assert (job.outcome, job.checkpoint_step) == (Outcome.CANCELLED, 40)
    return job


def test_it_lies_beside_the_adapters_where_every_worker_reaches_it(job, settings):
    child = run(job, save, saved())
    assert child.specs[0].checkpoint.parent.parent == settings.ADAPTER_STORE


def test_a_checkpoint_is_no_event_that_an_author_would_watch(cancelled):
    assert "checkpoint" not in cancelled.events.values_list("kind", flat=True)


@pytest.mark.parametrize("bits", [1.1, 1.4])
def test_a_training_that_came_to_its_end_keeps_none(job, bits):
    run(job, save, saved(bits=bits))
    assert (job.outcome in {Outcome.PUBLISHED, Outcome.NOT_BETTER}, job.checkpoint_step) == (True, None)
    assert not is_kept(job)


def test_writing_that_cannot_be_trained_keeps_none(job):
    run(job, save, failed(infrastructure=False))
    assert (job.outcome, job.checkpoint_step, is_kept(job)) == (Outcome.FAILED, None, False)


class TestAfterBadLuck:
    def test_the_next_attempt_finds_what_was_saved(self, job):
        first = run(job, save, failed(infrastructure=True))
        assert is_kept(job)
        again = run(job, saved())
        assert again.specs[0].checkpoint == first.specs[0].checkpoint

    def test_so_it_does_when_the_worker_was_lost_or_is_told_to_stop(self, job):
        run(job, save, lambda *_: STOPPING.set(), until_cancelled)
        STOPPING.clear()
        assert is_kept(job)
        jobs.claim()
        grow_old(job)
        sweep_training()
        assert is_kept(job)

    def test_too_often_its_author_may_still_have_it_continued(self, job, settings):
        settings.TRAINING_ATTEMPTS = 1
        run(job, save, failed(infrastructure=True))
        assert (job.outcome, is_kept(job)) == (Outcome.FAILED, True)
        continue_training(job=job)
        run(job, failed(infrastructure=True))
        assert (job.state, job.attempt) == (State.FINISHED, 2)

    def test_the_attempts_before_do_not_count_once_it_is_continued(self, job, settings):
        settings.TRAINING_ATTEMPTS = 2
        for _ in range(2):
            run(job, save, failed(infrastructure=True))
        continue_training(job=job)
        run(job, failed(infrastructure=True))
        assert (job.state, job.attempt) == (State.QUEUED, 3)

    @pytest.mark.parametrize("change", ["writing", "base"])
    def test_what_was_made_from_something_else_is_begun_anew(self, job, monkeypatch, change):
        run(job, save, failed(infrastructure=True))
        if change == "writing":
            set_included(sample=job.voice.samples.first(), included=False)
        else:
            monkeypatch.setattr(checkpoints.base_model, "find", lambda *_: (_ for _ in ()).throw(LookupError))
        seen = []
        run(job, lambda child, spec: seen.append(is_kept(job)), saved())
        assert seen == [False]


class TestContinuing:
    def test_queues_the_training_again_from_where_it_was_saved(self, cancelled, rung):
        continue_training(job=cancelled)
        cancelled.refresh_from_db()
        assert (cancelled.state, cancelled.outcome, cancelled.message, cancelled.finished_at) == (
            "queued",
            "",
            "",
            None,
        )
        assert rung == [("run_training", cancelled.pk)] * 2
        child = run(cancelled, {"kind": "resumed", "step": 40, "steps": 90}, saved())
        assert child.specs[0].checkpoint == checkpoints.folder(cancelled.pk)
        assert (cancelled.attempt, cancelled.outcome) == (2, Outcome.PUBLISHED)
        kinds = list(cancelled.events.order_by("seq").values_list("kind", flat=True))
        assert kinds == ["finished", "continued", "resumed", "saved", "finished"]
        assert not is_kept(cancelled)

    def test_can_be_cancelled_again_while_it_waits_and_keeps_its_checkpoint(self, cancelled):
        continue_training(job=cancelled)
        cancel_training(job=cancelled)
        cancelled.refresh_from_db()
        assert (cancelled.checkpoint_step, cancelled.message) == (40, jobs.CANCELLED)
        continue_training(job=cancelled)

    def test_is_refused_when_nothing_was_saved(self, job):
        cancel_training(job=job)
        job.refresh_from_db()
        with pytest.raises(UserError, match="Train anew"):
            continue_training(job=job)

    def test_is_refused_when_the_files_are_gone(self, cancelled):
        checkpoints.delete(cancelled.pk)
        with pytest.raises(UserError, match="Nothing of this training is saved"):
            continue_training(job=cancelled)

    def test_is_refused_when_the_writing_has_changed(self, cancelled):
        set_included(sample=cancelled.voice.samples.first(), included=False)
        with pytest.raises(UserError, match="Your writing has changed"):
            continue_training(job=cancelled)

    def test_is_refused_when_the_base_model_has_changed(self, cancelled, settings, tmp_path):
        settings.MODELS = tmp_path
        with pytest.raises(UserError, match="another base model"):
            continue_training(job=cancelled)

    def test_is_refused_when_the_recipe_has_changed(self, cancelled):
        cancelled.voice.recipe = {"rank": 4}
        cancelled.voice.save()
        with pytest.raises(UserError, match="How this voice is trained was changed"):
            continue_training(job=cancelled)

    def test_is_refused_while_the_voice_is_trained_anew(self, cancelled):
        submit_training(voice=cancelled.voice, by=cancelled.voice.owner)
        with pytest.raises(UserError, match="already being trained"):
            continue_training(job=cancelled)

    def test_twice_queues_it_once(self, cancelled):
        continue_training(job=cancelled)
        with pytest.raises(UserError):
            continue_training(job=cancelled)

    def test_keeps_to_the_limits(self, cancelled, settings):
        settings.TRAINING_QUEUE_LIMIT = 0
        with pytest.raises(UserError, match="Too many trainings"):
            continue_training(job=cancelled)


class TestWhatIsLeft:
    def test_goes_with_the_voice(self, cancelled):
        delete_voice(voice=cancelled.voice)
        assert not is_kept(cancelled)

    def test_is_swept_when_nobody_comes_back_for_it(self, cancelled, settings):
        sweep_checkpoints()
        assert is_kept(cancelled)
        long_ago = timezone.now() - timedelta(days=settings.CHECKPOINT_DAYS, minutes=1)
        TrainingJob.objects.update(finished_at=long_ago)
        sweep_checkpoints()
        cancelled.refresh_from_db()
        assert (cancelled.checkpoint_step, is_kept(cancelled)) == (None, False)

    def test_of_a_running_training_is_nobodys_to_sweep(self, job):
        run(job, save, failed(infrastructure=True))
        sweep_checkpoints()
        assert is_kept(job)
        jobs.claim()
        sweep_checkpoints()
        assert is_kept(job)

    def test_by_a_late_worker_is_swept(self, job, author):
        run(job, saved())
        other = TrainingJob.objects.create(voice=create_voice(owner=author, name="Other"), recipe={})
        for pk in (job.pk, other.pk, other.pk + 1):
            folder = checkpoints.folder(pk)
            folder.mkdir(parents=True)
            (folder / "state").write_text("3")
        sweep_checkpoints()
        assert (is_kept(job), is_kept(other), checkpoints.folder(other.pk + 1).exists()) == (False, True, False)
