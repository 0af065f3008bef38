"""Pages of training and versions."""

from __future__ import annotations

import json
from html import unescape

import pytest
from django.urls import reverse

from adapters.models import TrainingJob, Version
from adapters.services import UserError, checkpoints, create_voice, expected_recipe, jobs, measure, submit_training
from adapters.training.recipe import in_words
from tests.adapters.test_story import evaluation, step
from tests.inference.conftest import make_version

__all__ = ["make_version"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folders", "rung")]
Outcome = TrainingJob.Outcome


def at(name: str, *args: int) -> str:
    return reverse(f"voices:{name}", args=["essays", *args])


def page_of(browser, job: TrainingJob) -> str:
    return browser.get(at("job", job.pk)).text


class TestTheTrainingPage:
    def test_with_too_little_writing_says_what_is_missing(self, browser, voice):
        page = browser.get(at("training")).text
        assert "Not enough writing yet" in page
        assert "Train the voice" not in page

    def test_with_enough_says_what_training_does(self, browser, ready_voice):
        page = browser.get(at("training")).text
        assert "Train the voice" in page
        assert in_words(expected_recipe(tokens=measure(voice=ready_voice).tokens)) in page

    def test_starts_with_one_click(self, browser, ready_voice, rung):
        answer = browser.post(at("train"))
        job = TrainingJob.objects.get()
        assert (answer.url, rung) == (at("job", job.pk), [("run_training", job.pk)])

    def test_offers_what_the_voice_writes_on_the_way_and_takes_the_authors_choice(self, browser, ready_voice, settings):
        assert "An ordinary morning" in browser.get(at("training")).text
        browser.post(at("train"), {"briefs": "Frost\nRain"})
        assert TrainingJob.objects.get().sample_briefs == ["Frost", "Rain"]

    def test_does_not_offer_what_nobody_would_see(self, browser, ready_voice, settings):
        settings.TRAINING_SAMPLES = 0
        assert "An ordinary morning" not in browser.get(at("training")).text

    def test_refuses_in_words(self, browser, voice):
        page = browser.post(at("train"), follow=True).text
        assert "notice--error" in page
        assert "5 more posts" in page

    def test_shows_where_in_the_queue_the_training_is(self, browser, ready_voice, author):
        TrainingJob.objects.create(voice=create_voice(owner=author, name="Other"), recipe={})
        job = submit_training(voice=ready_voice, by=author)
        assert "1 before yours" in browser.get(at("training")).text
        assert "1 before yours" in page_of(browser, job)

    def test_without_a_base_model_still_opens(self, browser, ready_voice, settings, tmp_path):
        settings.MODELS = tmp_path
        assert "Train the voice" in browser.get(at("training")).text
        assert "fetch_base_model" in browser.post(at("train"), follow=True).text


class TestVersions:
    def test_an_earlier_one_can_be_made_live_again(self, browser, make_version):
        make_version(1, status="retired", metrics={"gain": 0.05})
        make_version(2, metrics={"gain": 0.12})
        page = browser.get(at("training")).text
        assert "−5.0 %" in page
        assert at("version-live", 1) in page
        assert at("version-live", 2) not in page
        assert "Version 1 writes from now on" in browser.post(at("version-live", 1), follow=True).text
        assert dict(Version.objects.values_list("number", "status")) == {1: "live", 2: "retired"}

    def test_one_that_was_not_better_is_refused_in_words(self, browser, make_version):
        make_version(1, status="rejected")
        page = browser.post(at("version-live", 1), follow=True).text
        assert str(UserError("version.not_usable", number=1)) in unescape(page)
        assert at("version-live", 1) not in page


class TestATraining:
    def test_that_waits_says_so_and_can_be_cancelled(self, browser, job):
        page = page_of(browser, job)
        assert "Next in line" in page
        assert f'data-training="{at("job-events", job.pk)}?from=1"' in page
        browser.post(at("job-cancel", job.pk))
        assert "You cancelled this training before it began." in page_of(browser, job)

    def test_that_runs_shows_everything_so_far_without_a_script(self, browser, job):
        running = jobs.claim()
        for kind, data in [
            ("loading", {"base_model": "base"}),
            ("prepared", {"train_posts": 4, "held_out_posts": 2, "steps": 1000}),
            ("baseline", {"bits_per_byte": 1.25}),
            ("step", step(12)),
            ("evaluation", evaluation(12, 1.2)),
            ("step", step(13, 2.5)),
        ]:
            jobs.record(running, kind, data)
        page = page_of(browser, job)
        assert "Learning from 4 posts" in page
        assert "about 2 minutes left" in page
        assert '<progress max="1000" value="13"' in page
        assert "−4.0 %" in page
        assert "?from=7" in page
        curves = unescape(page.partition('data-curves="')[2].partition('"')[0])
        assert json.loads(curves) == {
            "base": 1.25,
            "steps": 1000,
            "losses": [[12, 3.0], [13, 2.5]],
            "heldOut": [[12, 1.2]],
        }

    def test_shows_what_it_writes_to_the_same_briefs_at_every_measurement(self, browser, job):
        running = jobs.claim()
        assert 'id="samples" class="stack" aria-labelledby="samples-title" hidden' in page_of(browser, job)
        for number in (0, 12):
            jobs.record(running, "sample", {"step": number, "brief": "Frost & rain", "text": f"It <b> {number}"})
        page = page_of(browser, job)
        assert 'aria-labelledby="samples-title" hidden' not in page
        assert page.index("Frost &amp; rain") < page.index("It &lt;b&gt; 12") < page.index("It &lt;b&gt; 0")
        assert page.index("After step 12") < page.index("The base model, before the first step")

    def test_that_is_being_cancelled_says_so(self, browser, job):
        jobs.claim()
        page = browser.post(at("job-cancel", job.pk), follow=True).text
        assert "Stopping" in page
        assert "disabled" in page

    def test_that_was_taken_up_again_says_why_and_how(self, browser, job):
        running = jobs.claim()
        jobs.requeue(jobs.held(running), job.pk, reason="The site is being restarted.")
        assert "The site is being restarted. It goes on by itself." in page_of(browser, job)
        running = jobs.claim()
        jobs.record(running, "resumed", {"step": 40, "steps": 90})
        assert "The site is being restarted. It went on after step 40." in page_of(browser, job)
        jobs.requeue(jobs.held(running), job.pk, reason="It broke.")
        jobs.record(jobs.claim(), "baseline", {"bits_per_byte": 1.25})
        assert "It broke. It was begun again from the start" in page_of(browser, job)

    def test_that_was_cancelled_can_be_continued_or_begun_anew(self, browser, job):
        running = jobs.claim()
        jobs.saved(running, 40)
        jobs.cancel(jobs.held(running), job.pk)
        page = page_of(browser, job)
        assert "up to step 40" in page
        assert at("job-continue", job.pk) in page
        assert at("train") in page
        refused = browser.post(at("job-continue", job.pk), follow=True).text
        assert "Nothing of this training is saved any more" in refused
        checkpoints.prepare(running, checkpoints.posts_of(running))
        TrainingJob.objects.update(checkpoint_step=40)
        checkpoints.folder(job.pk).mkdir(parents=True)
        assert "Next in line" in browser.post(at("job-continue", job.pk), follow=True).text

    def test_that_was_cancelled_before_anything_was_saved_cannot_be_continued(self, browser, job):
        browser.post(at("job-cancel", job.pk))
        assert "Continue training" not in page_of(browser, job)

    def test_that_made_a_voice_leads_to_drafting(self, browser, job, make_version):
        running = jobs.claim()
        jobs.record(running, "prepared", {"train_posts": 4, "held_out_posts": 2, "steps": 9})
        make_version(2, job=job, metrics={"gain": 0.12})
        jobs.finish(
            jobs.held(running),
            job.pk,
            outcome=Outcome.PUBLISHED,
            message="It is 12 % less surprised.",
            bits_per_byte=1.1,
            base_bits_per_byte=1.25,
        )
        page = page_of(browser, job)
        assert "Version 2 is live" in page
        assert "It is 12 % less surprised." in page
        assert "1.250" in page
        assert "1.100" in page
        assert f"{reverse('drafts:list')}?voice=essays" in page
        assert "data-training" not in page

    @pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.NOT_BETTER, Outcome.CANCELLED])
    def test_that_ended_otherwise_says_how_and_what_to_do(self, browser, job, outcome):
        running = jobs.claim()
        jobs.finish(jobs.held(running), job.pk, outcome=outcome, message="Do <this>.")
        page = page_of(browser, job)
        assert "Do &lt;this&gt;." in page
        assert at("training") in page

    def test_asked_for_elsewhere_is_cancelled_once(self, browser, job):
        for _ in range(2):
            browser.post(at("job-cancel", job.pk))
        assert job.events.count() == 1
