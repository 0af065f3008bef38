"""API keys: shown once, kept as a hash, revoked for good, and nobody else's."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.test import APIRequestFactory

from accounts import services
from accounts.authentication import ApiKeyAuthentication
from accounts.models import ApiKey

HTMX = {"HX-Request": "true"}


def make(client, *, name="Notebook", days=90, headers=None):
    return client.post("/settings/keys/", {"name": name, "days": days}, headers=headers or {})


def shown_in(page) -> str:
    found = set(re.findall(r"idk-[\w-]{43}", page.content.decode()))
    assert len(found) == 1
    return found.pop()


def who(text: str):
    request = APIRequestFactory().get("/v1/models", headers={"Authorization": f"Bearer {text}"})
    return ApiKeyAuthentication().authenticate(request)


@pytest.mark.parametrize("headers", [None, HTMX], ids=["as a page", "as a fragment"])
def test_a_key_is_shown_once_and_kept_as_a_hash(at_home, author, headers):
    page = make(at_home, headers=headers)
    text = shown_in(page)
    assert "no-store" in page["Cache-Control"]
    key = ApiKey.objects.get()
    assert who(text) == (author, key)

    later = at_home.get("/settings/").content.decode()
    assert key.prefix in later
    assert text not in later
    assert all(text not in str(value) for value in ApiKey.objects.values().get().values())
    assert text not in str(dict(at_home.session))


def test_a_fragment_is_only_the_list_of_keys(at_home):
    fragment = make(at_home, headers=HTMX).content.decode()
    assert "<html" not in fragment
    assert fragment.lstrip().startswith('<section class="section" id="api-keys"')


def test_the_example_beside_a_new_key_uses_it_and_the_authors_voice(at_home, author, voice):
    page = make(at_home)
    text = shown_in(page)
    example = page.content.decode().partition('id="new-key-example"')[2]
    assert f"Authorization: Bearer {text}" in example
    assert '"model": "ada/essays"' in example


@pytest.mark.parametrize(("days", "expires"), [(30, timedelta(days=30)), (365, timedelta(days=365)), (0, None)])
def test_a_key_expires_when_its_owner_said(at_home, days, expires):
    make(at_home, days=days)
    key = ApiKey.objects.get()
    if expires is None:
        assert key.expires_at is None
    else:
        assert abs(key.expires_at - timezone.now() - expires) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("name", "days", "said"), [(" ", 30, "Give the key a name"), ("x", 31, "Select a valid choice")]
)
def test_a_key_that_makes_no_sense_is_not_made(at_home, name, days, said):
    assert said in make(at_home, name=name, days=days, headers=HTMX).content.decode()
    assert not ApiKey.objects.exists()


def test_a_revoked_key_opens_nothing(at_home):
    text = shown_in(make(at_home))
    key = ApiKey.objects.get()
    page = at_home.post(f"/settings/keys/{key.pk}/revoke/", follow=True).content.decode()
    assert "is revoked" in page
    assert key.prefix not in page
    with pytest.raises(AuthenticationFailed, match="revoked or expired"):
        who(text)


def test_an_expired_key_opens_nothing_and_is_marked(at_home, author):
    _key, text = services.create_api_key(owner=author, name="Old", expires_at=timezone.now() - timedelta(seconds=1))
    assert services.authenticate_key(text) is None
    assert "Expired" in at_home.get("/settings/").content.decode()


def test_the_key_of_somebody_who_was_switched_off_opens_nothing(author):
    _, text = services.create_api_key(owner=author, name="Notebook")
    author.is_active = False
    author.save()
    assert services.authenticate_key(text) is None


def test_using_a_key_is_noted(at_home):
    text = shown_in(make(at_home))
    services.authenticate_key(text)
    assert ApiKey.objects.get().last_used_at is not None


def test_other_peoples_keys_are_not_found(at_home, make_author):
    key, text = services.create_api_key(owner=make_author(), name="Theirs")
    assert at_home.post(f"/settings/keys/{key.pk}/revoke/").status_code == 404
    assert services.authenticate_key(text) == key
    assert "Theirs" not in at_home.get("/settings/").content.decode()


def test_a_plain_visit_to_the_forms_addresses_shows_the_settings(at_home, author):
    key, text = services.create_api_key(owner=author, name="Notebook")
    assert at_home.get("/settings/keys/")["Location"] == "/settings/"
    assert at_home.get(f"/settings/keys/{key.pk}/revoke/")["Location"] == "/settings/"
    assert services.authenticate_key(text) == key


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/settings/", "/settings/keys/", "/settings/keys/1/revoke/"])
def test_strangers_are_sent_to_log_in(client, address):
    assert client.post(address)["Location"].startswith("/accounts/login/?next=")
