"""How drafts begin and how texts move from asked for to finished."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery.exceptions import Retry
from django.utils import timezone

from adapters.models import Voice
from inference import services, tasks
from inference.models import Draft, Generation
from inference.services import Progress
from tests.inference.scripted_engine import free_address

State, Outcome = Generation.State, Generation.Outcome


@pytest.fixture
def draft(voice) -> Draft:
    return services.start_draft(voice=voice, owner=voice.owner, brief="The first frost")


@pytest.fixture
def text(draft) -> Generation:
    return draft.generations.get()


def progress(text: str = "Rain fell.") -> Progress:
    return Progress(text=text, tokens=2, first_token_seconds=0.5)


def test_a_new_draft_is_written_by_the_live_version(voice, make_version):
    make_version(1, status="retired")
    live = make_version(2)
    text = services.start_draft(voice=voice, owner=voice.owner, brief="Frost").generations.get()

    assert text.version == live
    assert text.parameters["model"] == live.digest
    assert text.parameters["writer"] == "Essays, version 2"


def test_a_voice_that_is_not_trained_yet_drafts_with_the_base_model(text, settings):
    assert text.version is None
    assert text.parameters["model"] == settings.BASE_MODEL


def test_each_text_has_a_seed_of_its_own_unless_one_is_given(draft):
    seeds = {services.start_generation(draft=draft, brief="Frost").seed for _ in range(5)}

    assert len(seeds) == 5
    assert services.start_generation(draft=draft, brief="Frost", seed=0).seed == 0


def test_another_voices_version_cannot_write(draft, author, make_version):
    other = Voice.objects.create(owner=author, name="Notes", slug="notes")

    with pytest.raises(ValueError, match="version must belong"):
        services.start_generation(draft=draft, brief="Frost", version=make_version(voice=other))


def test_the_draft_keeps_the_newest_brief_and_each_text_its_own(draft, text):
    newer = services.start_generation(draft=draft, brief="The first snow")
    draft.refresh_from_db()

    assert draft.brief == newer.brief == "The first snow"
    assert text.brief == "The first frost"


def test_asking_again_stops_what_is_still_being_written(draft, text):
    services.claim_generation(pk=text.pk)
    services.start_generation(draft=draft, brief="Frost")
    text.refresh_from_db()

    assert (text.state, text.outcome) == (State.FINISHED, Outcome.STOPPED)


def test_only_the_first_of_two_readers_writes(text):
    assert [services.claim_generation(pk=text.pk) for _ in range(2)] == [True, False]


def test_progress_is_kept_until_somebody_ends_the_text(text):
    services.claim_generation(pk=text.pk)

    assert services.save_progress(pk=text.pk, progress=progress())
    assert services.stop_generation(generation=text)
    assert not services.save_progress(pk=text.pk, progress=progress("Rain fell on the roof."))


def test_a_stopped_text_keeps_what_was_written_before_its_writer_noticed(text):
    services.claim_generation(pk=text.pk)
    services.stop_generation(generation=text)
    services.finish_generation(pk=text.pk, progress=progress("Rain fell on the roof."), outcome=Outcome.COMPLETE)
    text.refresh_from_db()

    assert (text.outcome, text.text) == (Outcome.STOPPED, "Rain fell on the roof.")


def test_stopping_a_finished_text_changes_nothing(text):
    services.claim_generation(pk=text.pk)
    services.finish_generation(pk=text.pk, progress=progress(), outcome=Outcome.COMPLETE)

    assert not services.stop_generation(generation=text)
    text.refresh_from_db()
    assert text.outcome == Outcome.COMPLETE


def test_a_text_whose_writer_died_fails_and_keeps_what_was_written(text):
    services.claim_generation(pk=text.pk)
    services.save_progress(pk=text.pk, progress=progress())
    Generation.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    tasks.sweep_generations()
    text.refresh_from_db()

    assert (text.state, text.outcome, text.text) == (State.FINISHED, Outcome.FAILED, "Rain fell.")
    assert "is kept" in text.message


def test_a_text_that_nobody_came_to_read_is_not_kept_waiting(text):
    Generation.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    tasks.sweep_generations()
    text.refresh_from_db()

    assert text.outcome == Outcome.STOPPED


def test_the_sweeper_leaves_living_texts_alone(draft, text):
    services.claim_generation(pk=text.pk)

    assert services.sweep_generations() == 0


class TestUnloading:
    DIGEST = "d" * 64

    def test_tells_the_engine(self, db, site_engine):
        tasks.unload_adapter(self.DIGEST)

        assert site_engine.bodies("/v1/unload_lora_adapter") == [{"lora_name": self.DIGEST}]

    def test_what_is_not_loaded_is_no_trouble(self, db, site_engine):
        site_engine.plan("/v1/unload_lora_adapter", 404, {"error": {"message": "is not loaded"}})

        tasks.unload_adapter(self.DIGEST)

    def test_leaves_an_adapter_that_another_version_is(self, make_version, site_engine):
        make_version(digest=self.DIGEST)
        tasks.unload_adapter(self.DIGEST)

        assert not site_engine.requests

    def test_is_tried_again_when_the_engine_is_away(self, db, settings):
        settings.INFERENCE_URL = free_address()

        with pytest.raises(Retry) as caught:
            tasks.unload_adapter.apply(args=[self.DIGEST], throw=True, retries=0)
        assert caught.value.when == 5


def test_speed_is_told_after_the_first_token():
    asked = timezone.now()
    text = Generation(tokens=21, first_token_seconds=1.0, created_at=asked, finished_at=asked + timedelta(seconds=3))

    assert text.tokens_per_second == pytest.approx(10)
    assert Generation(tokens=21, created_at=asked).tokens_per_second is None
