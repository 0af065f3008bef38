"""Whatever address of a voice one types: other people's things are not there, and strangers are sent to log in."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from adapters import urls
from adapters.models import Version
from adapters.services import create_voice, start_import
from tests.accounts.strict_html import forbidden_in
from tests.adapters.services.test_imports import files
from tests.inference.conftest import make_version

__all__ = ["make_version"]
pytestmark = pytest.mark.django_db(transaction=True)

PATTERNS = {pattern.name: pattern for pattern in urls.urlpatterns}
OF_A_VOICE = [name for name, pattern in PATTERNS.items() if "slug" in pattern.pattern.converters]
OF_A_PART = [name for name in OF_A_VOICE if len(PATTERNS[name].pattern.converters) > 1]


@pytest.fixture
def address(job, make_version, write):
    """The address of each page of the author's voice."""
    make_version()
    running = start_import(voice=job.voice, uploads=files(a__txt="Text."))
    ids = {"sample": job.voice.samples.first().pk, "import": running.pk, "job": job.pk, "version": 1}

    def of(name: str, slug: str = "essays", shift: int = 0) -> str:
        arguments = {"slug": slug} if name in OF_A_VOICE else {}
        if name in OF_A_PART:
            own = ids[name.partition("-")[0]] + shift
            arguments["number" if name == "version-live" else "pk"] = own
        return reverse(f"voices:{name}", kwargs=arguments)

    return of


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", OF_A_VOICE)
def test_other_peoples_voices_are_not_found(address, client, make_author, name, method):
    stranger = make_author()
    client.force_login(stranger)
    assert getattr(client, method)(address(name)).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", OF_A_PART)
def test_parts_of_other_peoples_voices_are_not_found_under_ones_own(address, client, make_author, name, method):
    stranger = make_author()
    create_voice(owner=stranger, name="Essays")
    client.force_login(stranger)
    assert getattr(client, method)(address(name)).status_code == 404


@pytest.mark.parametrize("name", OF_A_PART)
def test_parts_of_ones_own_other_voice_are_not_found(address, browser, author, name):
    create_voice(owner=author, name="Other")
    assert browser.get(address(name, "other")).status_code == 404


@pytest.mark.parametrize("name", OF_A_PART)
def test_what_is_gone_is_not_found(address, browser, name):
    assert browser.get(address(name, shift=10**6)).status_code == 404


@pytest.mark.parametrize("name", PATTERNS)
def test_strangers_are_sent_to_log_in(address, client, name):
    answer = client.get(address(name))
    assert (answer.status_code, answer.url.partition("?")[0]) == (302, reverse("account_login"))


@pytest.mark.parametrize("name", PATTERNS)
def test_every_address_answers_a_visit_with_a_whole_page_and_changes_nothing(address, browser, name):
    where = address(name)
    before = list(Version.objects.values_list("number", "status"))
    if name in {"job-events", "writing-download"}:
        return  # a stream (see test_events), a file (see test_curation)
    page = browser.get(where, follow=True)
    assert page.status_code == 200
    assert page.text.startswith("<!DOCTYPE html>")
    assert page.text.count("<h1") == 1
    assert forbidden_in(page) == []
    assert "unsafe" not in page["Content-Security-Policy"]
    assert list(Version.objects.values_list("number", "status")) == before


@pytest.mark.parametrize(
    "name", ["create", "rename", "delete", "paste", "upload", "sample-delete", "train", "job-cancel", "version-live"]
)
def test_forms_without_their_token_are_refused(address, author, name):
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(author)
    assert careful.post(address(name)).status_code == 403
