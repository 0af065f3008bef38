"""The drafting pages: what authors see and do, and what they never see of others."""

from __future__ import annotations

import json
from datetime import timedelta
from html import unescape

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from adapters.models import Voice
from adapters.training.prompts import messages_for_brief
from inference import services
from inference.forms import LONGEST_BRIEF
from inference.models import Draft, Generation
from inference.services import Progress

Outcome = Generation.Outcome
ASK = {"brief": "The first frost", "writer": "base", "length": "short", "temperature": "0.8", "seed": ""}


@pytest.fixture
def page(client, author):
    client.force_login(author)
    return client


@pytest.fixture
def draft(voice) -> Draft:
    return services.start_draft(voice=voice, owner=voice.owner, brief="The first frost")


def finish(text: Generation, words: str = "Rain fell.", outcome: Outcome = Outcome.COMPLETE, message: str = "") -> None:
    services.claim_generation(pk=text.pk)
    progress = Progress(text=words, tokens=3, first_token_seconds=0.5)
    services.finish_generation(pk=text.pk, progress=progress, outcome=outcome, message=message)


def url(name: str, *args: int) -> str:
    return reverse(f"drafts:{name}", args=args)


class TestTheList:
    def test_sends_visitors_to_log_in(self, client):
        assert client.get(url("list")).url.startswith(reverse("account_login"))

    def test_without_a_voice_says_to_make_one(self, page):
        assert "First, a voice" in page.get(url("list")).text

    def test_without_drafts_says_how_to_begin(self, page, voice):
        assert "Nothing drafted yet" in page.get(url("list")).text

    def test_shows_each_draft_and_how_its_newest_text_begins(self, page, draft):
        finish(draft.generations.get(), "Rain fell on the roof.")
        shown = page.get(url("list")).text

        assert "The first frost" in shown
        assert "Rain fell on the roof." in shown

    def test_can_be_of_one_voice(self, page, draft, author):
        Voice.objects.create(owner=author, name="Notes", slug="notes")

        assert "The first frost" in page.get(url("list") + "?voice=essays").text
        assert "The first frost" not in page.get(url("list") + "?voice=notes").text

    def test_has_pages(self, page, voice):
        for number in range(21):
            services.start_draft(voice=voice, owner=voice.owner, brief=f"Brief {number}")

        assert "Brief 20" in page.get(url("list")).text
        assert "Brief 0" in page.get(url("list") + "?page=2").text


class TestANewDraft:
    def test_opens_with_its_first_text_asked_for(self, page, voice):
        response = page.post(url("create"), {"voice": "essays", "brief": "The first frost"})
        text = Generation.objects.get()

        assert response.url == url("detail", text.draft.pk)
        assert (text.brief, text.state) == ("The first frost", "queued")
        assert url("generation-stream", text.draft.pk, text.pk) in page.get(response.url).text

    def test_needs_a_brief(self, page, voice):
        assert "Say in a sentence or two" in page.post(url("create"), {"voice": "essays", "brief": " "}).text
        assert not Draft.objects.exists()

    def test_refuses_a_brief_that_is_too_long_and_says_how_long_it_may_be(self, page, voice):
        shown = page.post(url("create"), {"voice": "essays", "brief": "x" * (LONGEST_BRIEF + 1)}).text

        assert "may have up to 4000 characters; this one has 4001" in shown

    def test_cannot_be_in_another_authors_voice(self, page, voice, make_author):
        Voice.objects.create(owner=make_author(), name="Theirs", slug="theirs")

        assert "You have no such voice" in page.post(url("create"), {"voice": "theirs", "brief": "Frost"}).text

    def test_asked_for_by_a_plain_visit_is_the_list(self, page):
        assert page.get(url("create")).url == url("list")


class TestADraft:
    def test_keeps_every_text_with_what_wrote_it(self, page, draft, make_version):
        finish(draft.generations.get(), "The base model wrote this.")
        version = make_version()
        finish(services.start_generation(draft=draft, brief="Frost", version=version, seed=77), "The voice wrote this.")
        shown = page.get(url("detail", draft.pk)).text

        assert shown.index("The voice wrote this.") < shown.index("The base model wrote this.")
        assert "Essays, version 1" in shown
        assert "Seed 77" in shown
        assert "For the brief: The first frost" in shown

    def test_of_an_untrained_voice_says_how_to_get_one(self, page, draft):
        shown = page.get(url("detail", draft.pk)).text

        assert "Essays is not trained yet" in shown
        assert reverse("voices:training", args=["essays"]) in shown

    def test_of_a_trained_voice_does_not(self, page, draft, make_version):
        make_version()

        assert "is not trained yet" not in page.get(url("detail", draft.pk)).text

    def test_shows_what_models_write_as_text_and_never_as_html(self, page, draft):
        finish(draft.generations.get(), "<script>alert(1)</script>")
        shown = page.get(url("detail", draft.pk)).text

        assert "<script>alert(1)" not in shown
        assert "&lt;script&gt;alert(1)" in shown

    def test_says_what_went_wrong_and_offers_to_try_again(self, page, draft):
        finish(draft.generations.get(), "Rain", Outcome.FAILED, "The writing engine is not running.")
        shown = page.get(url("detail", draft.pk)).text

        assert "The writing engine is not running." in shown
        assert "Try again" in shown
        assert "What had been written is kept." in shown

    def test_does_not_show_earlier_attempts_that_came_to_nothing(self, page, draft):
        finish(draft.generations.get(), "", Outcome.FAILED, "The writing engine is not running.")
        services.start_generation(draft=draft, brief="Frost")

        assert "is not running" not in page.get(url("detail", draft.pk)).text

    def test_can_be_deleted_with_its_texts(self, page, draft):
        assert page.post(url("delete", draft.pk)).url == url("list")
        assert not Generation.objects.exists()


class TestWriting:
    def test_uses_the_chosen_settings(self, page, draft, make_version):
        make_version(2)
        earlier = make_version(1, status="retired")
        page.post(
            url("generate", draft.pk), {**ASK, "writer": "1", "length": "long", "temperature": "1.2", "seed": "5"}
        )
        text = draft.generations.first()

        assert (text.version, text.seed) == (earlier, 5)
        assert (text.parameters["length"], text.parameters["temperature"]) == ("long", 1.2)

    def test_can_be_by_the_base_model_although_there_is_a_voice(self, page, draft, make_version):
        make_version()
        page.post(url("generate", draft.pk), ASK)

        assert draft.generations.first().version is None

    @pytest.mark.parametrize(
        "wrong",
        [
            {"brief": ""},
            {"writer": "9"},
            {"length": "endless"},
            {"temperature": "9"},
            {"temperature": "warm"},
            {"seed": "-1"},
            {"seed": "99999999999"},
        ],
    )
    def test_refuses_settings_that_make_no_sense(self, page, draft, wrong):
        shown = page.post(url("generate", draft.pk), {**ASK, **wrong})

        assert 'class="error"' in shown.text
        assert draft.generations.count() == 1

    def test_a_version_that_did_not_beat_the_base_model_cannot_be_chosen(self, page, draft, make_version):
        make_version(status="rejected")

        assert 'class="error"' in page.post(url("generate", draft.pk), {**ASK, "writer": "1"}).text

    def test_stop_ends_it(self, page, draft):
        text = draft.generations.get()
        page.post(url("generation-stop", draft.pk, text.pk))
        text.refresh_from_db()

        assert text.outcome == Outcome.STOPPED


class TestTheForm:
    def test_starts_with_the_live_version(self, page, draft, make_version):
        make_version(3)

        assert page.get(url("detail", draft.pk)).context["form"]["writer"].value() == "3"

    def test_keeps_the_settings_of_the_newest_text(self, page, draft, make_version):
        make_version(3)
        make_version(2, status="retired")
        page.post(url("generate", draft.pk), {**ASK, "writer": "2", "length": "long", "temperature": "0.3"})
        form = page.get(url("detail", draft.pk)).context["form"]

        assert [form[name].value() for name in ("writer", "length", "temperature")] == ["2", "long", 0.3]

    def test_takes_a_version_that_went_live_since(self, page, draft, make_version):
        finish(draft.generations.get())
        Generation.objects.update(created_at=timezone.now() - timedelta(hours=1))
        make_version(1)

        assert page.get(url("detail", draft.pk)).context["form"]["writer"].value() == "1"


def test_the_example_for_programs_asks_as_voices_are_trained(rf, voice):
    shown = unescape(render_to_string("drafts/_api_example.html", {"voice": voice, "request": rf.get("/")}))

    assert shown.count(json.dumps(messages_for_brief("The first frost."))) == 2
    assert shown.count('"ada/essays"') == 2
    assert "http://testserver/v1" in shown


def test_other_peoples_drafts_are_not_found(client, make_author, draft):
    client.force_login(make_author())
    text = draft.generations.get()

    assert client.get(url("detail", draft.pk)).status_code == 404
    assert client.get(url("generation-stream", draft.pk, text.pk)).status_code == 404
    for address in (
        url("generate", draft.pk),
        url("delete", draft.pk),
        url("generation-stop", draft.pk, text.pk),
    ):
        assert client.post(address, ASK).status_code == 404
    text.refresh_from_db()
    assert text.state == "queued"


def test_staff_see_what_the_engine_said_and_authors_do_not(client, make_author, page, draft):
    text = draft.generations.get()
    services.claim_generation(pk=text.pk)
    services.finish_generation(
        pk=text.pk,
        progress=Progress(text="", tokens=0, first_token_seconds=None),
        outcome=Outcome.FAILED,
        message="This voice cannot be used.",
        reason="r must be between 1 and 256",
    )
    assert "r must be" not in page.get(url("detail", draft.pk)).text
    client.force_login(make_author(is_staff=True, is_superuser=True))
    for name, pk in [("generation", text.pk), ("draft", draft.pk)]:
        assert "r must be between 1 and 256" in client.get(reverse(f"admin:inference_{name}_change", args=[pk])).text


def test_staff_can_look_at_drafts_and_change_nothing(client, make_author, draft):
    client.force_login(make_author(is_staff=True, is_superuser=True))
    text = draft.generations.get()

    assert client.get(reverse("admin:inference_draft_changelist")).status_code == 200
    assert client.get(reverse("admin:inference_generation_changelist")).status_code == 200
    assert client.post(reverse("admin:inference_generation_change", args=[text.pk]), {"text": "x"}).status_code == 403
    assert client.get(reverse("admin:inference_draft_add")).status_code == 403


def test_authors_who_are_no_staff_do_not_see_the_admin(page):
    assert page.get(reverse("admin:inference_draft_changelist")).status_code == 302
