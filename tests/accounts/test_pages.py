"""Every page for strangers, the settings, and the pages for what went wrong: whole, strict and usable by keyboard."""

from __future__ import annotations

import pytest
from django.template.loader import render_to_string
from django.test import Client

from tests.accounts.strict_html import forbidden_in

FOR_STRANGERS = [
    "/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-broken/",
    "/accounts/password/reset/key/done/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/broken/",
    "/accounts/inactive/",
    "/nowhere/",
]
FOR_AUTHORS = ["/settings/", "/accounts/email/", "/accounts/password/change/", "/accounts/logout/"]


def check(response):
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert forbidden_in(response) == []
    page = response.content.decode()
    assert '<main class="site-main" id="main"' in page
    assert 'href="#main"' in page
    assert page.count("<h1") == 1


@pytest.mark.django_db
@pytest.mark.parametrize("address", FOR_STRANGERS)
def test_strangers_pages_keep_to_the_policy(client, address):
    check(client.get(address))


@pytest.mark.parametrize("address", FOR_AUTHORS)
def test_authors_pages_keep_to_the_policy(at_home, address):
    check(at_home.get(address))


def test_the_settings_with_a_new_key_keep_to_the_policy(at_home):
    check(at_home.post("/settings/keys/", {"name": "Notebook", "days": 30}))


@pytest.mark.django_db
def test_the_policy_would_notice(client):
    response = client.get("/")
    response.content += b'<p style="x" onclick="y"><script>z</script><img src="https://elsewhere.example/a.png">'
    assert len(forbidden_in(response)) == 4


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused_in_words():
    response = Client(enforce_csrf_checks=True).post("/accounts/login/", {})
    assert response.status_code == 403
    assert "Please send that again" in response.content.decode()


@pytest.mark.parametrize("name", ["400.html", "403.html", "404.html", "429.html", "500.html"])
def test_pages_for_what_went_wrong_need_neither_request_nor_database(name):
    page = render_to_string(name)
    assert "Go to the start" in page


@pytest.mark.django_db
def test_the_front_page_is_for_strangers_only(client, author):
    assert "Drafts that sound like you wrote them" in client.get("/").content.decode()
    client.force_login(author)
    assert client.get("/")["Location"] == "/voices/"


def test_the_page_says_where_one_is(at_home):
    page = at_home.get("/settings/").content.decode()
    assert '<a href="/settings/" aria-current="true">' in page
    assert page.count("aria-current") == 1


def test_names_are_escaped(at_home, author):
    author.name = "<script>alert(1)</script>"
    author.save()
    assert forbidden_in(at_home.get("/settings/")) == []
