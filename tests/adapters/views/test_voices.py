"""Pages of voices."""

from __future__ import annotations

import pytest
from django.urls import reverse

from adapters.models import TrainingJob, Voice
from adapters.services import jobs
from tests.inference.conftest import make_version

__all__ = ["make_version"]
pytestmark = pytest.mark.django_db


def overview(browser) -> str:
    return browser.get(reverse("voices:detail", args=["essays"])).text


class TestTheList:
    def test_without_a_voice_says_how_to_begin(self, browser):
        assert "Make your first voice" in browser.get(reverse("voices:list")).text

    def test_shows_how_each_voice_stands_in_a_fixed_number_of_queries(
        self, browser, ready_voice, make_version, django_assert_max_num_queries, author
    ):
        make_version(3)
        for number in range(10):
            Voice.objects.create(owner=author, name=f"Empty {number}", slug=f"empty-{number}")
        with django_assert_max_num_queries(4):
            page = browser.get(reverse("voices:list")).text
        words = sum(ready_voice.samples.values_list("words", flat=True))
        assert f"{words:,} words in 6 posts" in page
        assert "Version 3 is live" in page
        assert page.count("No writing yet") == 10

    def test_shows_nothing_of_others(self, browser, make_author):
        Voice.objects.create(owner=make_author(), name="Secret", slug="secret")
        assert "Secret" not in browser.get(reverse("voices:list")).text


class TestMakingOne:
    def test_leads_to_its_writing(self, browser):
        answer = browser.post(reverse("voices:create"), {"name": "Slack Water"})
        assert answer.url == reverse("voices:writing", args=["slack-water"])

    @pytest.mark.parametrize(("name", "said"), [("", "Give the voice a name"), ("n" * 10_000, "at most 80 characters")])
    def test_with_a_name_that_will_not_do_says_why(self, browser, name, said):
        assert said in browser.post(reverse("voices:create"), {"name": name}).text
        assert not Voice.objects.exists()

    def test_with_markup_in_its_name_shows_it_as_text(self, browser):
        page = browser.post(reverse("voices:create"), {"name": "<script>alert(1)</script>"}, follow=True).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


class TestTheOverview:
    def test_without_writing_asks_for_it(self, browser, voice):
        assert "Bring in your writing" in overview(browser)

    def test_with_a_little_writing_asks_for_more(self, browser, voice, write):
        write(voice, 100)
        assert "A little more writing" in overview(browser)

    def test_with_enough_offers_training(self, browser, ready_voice):
        assert f'action="{reverse("voices:train", args=["essays"])}"' in overview(browser)

    def test_while_it_is_trained_leads_to_the_training(self, browser, job):
        page = overview(browser)
        assert reverse("voices:job", args=["essays", job.pk]) in page
        assert "Train the voice" not in page

    def test_of_a_live_voice_has_a_box_for_a_brief_and_its_one_sentence(self, browser, make_version):
        make_version(metrics={"gain": 0.123})
        page = overview(browser)
        assert "12 % less surprised" in page
        assert f'action="{reverse("drafts:create")}?voice=essays"' in page

    @pytest.mark.parametrize("outcome", [TrainingJob.Outcome.FAILED, TrainingJob.Outcome.NOT_BETTER])
    def test_after_a_training_that_brought_nothing_says_why(self, browser, job, outcome):
        running = jobs.claim()
        jobs.finish(jobs.held(running), job.pk, outcome=outcome, message="What to do about it.")
        assert "What to do about it." in overview(browser)


def test_renaming_says_that_the_address_stays(browser, voice):
    page = browser.post(reverse("voices:rename", args=["essays"]), {"name": "Letters"}, follow=True)
    assert page.redirect_chain[-1][0] == reverse("voices:detail", args=["essays"])
    assert "Letters" in page.text


def test_deleting_asks_first_and_names_what_goes(browser, voice, write, make_version):
    write(voice, 50)
    make_version()
    page = browser.get(reverse("voices:delete", args=["essays"])).text
    assert "1 text" in page
    assert "1 trained version with its files" in page
    assert browser.post(reverse("voices:delete", args=["essays"])).url == reverse("voices:list")
    assert not Voice.objects.exists()
