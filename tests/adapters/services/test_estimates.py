"""How long a training waits and takes, told before it begins and while it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from adapters.models import TrainingJob
from adapters.services import checkpoints, create_voice, jobs, standing, submit_training
from adapters.services.estimates import Remaining, seconds_a_token, spread
from adapters.story import Span

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("rung", "own_folders")]
Outcome = TrainingJob.Outcome


def step(number: int, steps: int, eta: float, **more: float) -> dict[str, float]:
    rate = {"loss": 3.0, "learning_rate": 1e-3, "tokens_per_second": 100.0}
    return {"step": number, "steps": steps, "eta_seconds": eta, **rate, **more}


@pytest.fixture
def earlier(make_author, base_model):
    """A training of an author, of so many tokens, that took so many seconds."""

    def add(seconds: float, tokens: int = 10_000, **fields) -> TrainingJob:
        voice = create_voice(owner=make_author(), name="Earlier")
        inputs = {"base": checkpoints.inputs([])["base"]}
        TrainingJob.objects.create(voice=voice, recipe={"epochs": 2}, inputs=inputs)
        job = jobs.claim()
        prepared = {"train_tokens": tokens - 1000, "held_out_tokens": 1000, "train_posts": 4, "held_out_posts": 2}
        jobs.record(job, "prepared", prepared)
        jobs.finish(jobs.held(job), job.pk, outcome=Outcome.PUBLISHED, message="Good.")
        now = timezone.now()
        fields = {"started_at": now - timedelta(seconds=seconds), "finished_at": now} | fields
        TrainingJob.objects.filter(pk=job.pk).update(**fields)
        return job

    return add


class TestWhatEarlierTrainingsTook:
    def test_is_not_known_before_the_first(self):
        assert seconds_a_token() is None

    def test_is_told_with_a_wide_margin_after_the_first(self, earlier):
        earlier(200)
        found = seconds_a_token()
        assert (found.low, found.high) == pytest.approx((0.006, 0.014))

    def test_spans_most_of_many(self, earlier):
        for seconds in (200, 210, 220, 230, 400):
            earlier(seconds)
        found = seconds_a_token()
        assert 0.008 < found.low < 0.0105
        assert 0.0115 < found.high < 0.02

    def test_counts_only_those_of_this_base_model_that_came_to_their_end_in_one_go(self, earlier):
        earlier(9000, attempt=2)
        earlier(9000, outcome=Outcome.CANCELLED)
        earlier(9000, inputs={"base": "another"})
        assert seconds_a_token() is None


def test_the_next_measurement_will_probably_lie_between_the_others():
    assert spread([]) is None
    assert spread([10]) == Span(low=6, high=14)
    found = spread([10, 11, 12, 13, 100])
    assert 8 < found.low < 11
    assert 13 < found.high < 100


class TestARunningTraining:
    def test_is_estimated_by_its_pace_with_a_margin_that_shrinks(self):
        remaining = Remaining()
        first = remaining.after(step(1, 101, 200), now=0)
        assert (first.low, first.high) == pytest.approx((120, 280))
        later = remaining.after(step(51, 101, 100), now=100)
        assert (later.low, later.high) == pytest.approx((90, 110))

    def test_spans_the_pace_of_now_and_that_of_the_whole_way(self):
        remaining = Remaining()
        remaining.after(step(1, 101, 200), now=0)
        busier = remaining.after(step(51, 101, 400), now=100)
        assert (busier.low, busier.high) == pytest.approx((90, 440))

    def test_ends_with_texts_to_be_compared_by_whatever_its_pace_was(self):
        remaining = Remaining()
        remaining.after(step(1, 101, 230, comparing_seconds=30), now=0)
        later = remaining.after(step(51, 101, 130, comparing_seconds=30), now=100)
        assert (later.low, later.high) == pytest.approx((117, 143))

    def test_counts_from_where_it_was_resumed(self):
        remaining = Remaining()
        remaining.after(step(41, 101, 120), now=0)
        later = remaining.after(step(71, 101, 60), now=60)
        assert (later.low, later.high) == pytest.approx((54, 66))

    def test_tells_what_is_left_since_its_latest_step(self, job):
        running = jobs.claim()
        assert standing(job=running).left is None
        jobs.record(running, "step", step(3, 90, 250, eta_low=200, eta_high=300))
        job.refresh_from_db()
        found = standing(job=job)
        assert (found.state, found.before, found.wait) == ("running", 0, None)
        assert 195 < found.left.low <= 200
        assert 295 < found.left.high <= 300

    def test_that_was_begun_again_is_not_told_by_its_steps_from_before(self, ready_voice, earlier):
        earlier(200)
        job = submit_training(voice=ready_voice, by=ready_voice.owner)
        jobs.record(jobs.claim(), "step", step(3, 90, 250))
        TrainingJob.objects.filter(pk=job.pk).update(started_at=timezone.now())
        job.refresh_from_db()
        tokens = sum(ready_voice.samples.values_list("tokens", flat=True))
        assert standing(job=job).left.high == pytest.approx(0.014 * tokens * job.recipe["epochs"], abs=3)

    def test_is_estimated_by_earlier_ones_before_its_first_step(self, ready_voice, earlier):
        earlier(200)
        submit_training(voice=ready_voice, by=ready_voice.owner)
        found = standing(job=jobs.claim())
        tokens = sum(ready_voice.samples.values_list("tokens", flat=True))
        epochs = TrainingJob.objects.get(voice=ready_voice).recipe["epochs"]
        assert found.left.high == pytest.approx(0.014 * tokens * epochs, abs=3)


class TestAWaitingTraining:
    def test_waits_for_what_is_left_of_the_running_one(self, ready_voice, author, earlier):
        earlier(200)
        TrainingJob.objects.create(voice=create_voice(owner=author, name="Other"), recipe={"epochs": 2})
        jobs.record(jobs.claim(), "step", step(3, 90, 250, eta_low=200, eta_high=300))
        found = standing(job=submit_training(voice=ready_voice, by=author))
        assert (found.before, found.words) == (1, "1 before yours, about 3 to 5 minutes")
        assert 190 < found.wait.low <= 200
        assert found.left.low > found.wait.low + 50

    def test_that_goes_on_from_a_checkpoint_takes_what_is_left_of_it(self, ready_voice, earlier):
        earlier(200)
        job = submit_training(voice=ready_voice, by=ready_voice.owner)
        whole = standing(job=job).left
        jobs.record(jobs.claim(), "prepared", {"steps": 80})
        TrainingJob.objects.filter(pk=job.pk).update(state="queued", checkpoint_step=60, started_at=None)
        job.refresh_from_db()
        assert standing(job=job).left.low == pytest.approx(whole.low / 4)

    def test_of_whom_nothing_was_measured_says_only_how_many_come_first(self, author):
        for name in "abc":
            TrainingJob.objects.create(voice=create_voice(owner=author, name=name), recipe={"epochs": 2})
        last = TrainingJob.objects.latest("pk")
        found = standing(job=last)
        assert (found.wait, found.left, found.words) == (None, None, "2 before yours")

    def test_waits_for_those_before_and_less_where_more_are_trained_at_once(self, make_author, earlier, write):
        earlier(200)
        queued = []
        for number in range(5):
            voice = create_voice(owner=make_author(), name="Essays")
            tokens = write(voice, 900, number).tokens
            queued.append(TrainingJob.objects.create(voice=voice, recipe={"epochs": 2}))
        jobs.record(jobs.claim(), "step", step(3, 90, 250, eta_low=200, eta_high=300))
        alone = standing(job=queued[-1]).wait
        assert alone.low == pytest.approx(200 + 3 * 0.006 * 2 * tokens, rel=0.1)
        jobs.record(jobs.claim(), "step", step(3, 90, 250, eta_low=200, eta_high=300))
        assert standing(job=queued[-1]).wait.low == pytest.approx(200 + 0.006 * 2 * tokens, rel=0.1)


def test_an_ended_training_neither_waits_nor_goes_on(job):
    running = jobs.claim()
    jobs.cancel(jobs.held(running), job.pk)
    job.refresh_from_db()
    assert standing(job=job).as_dict() == {
        "state": "finished",
        "before": 0,
        "wait": None,
        "left": None,
        "words": "",
    }
