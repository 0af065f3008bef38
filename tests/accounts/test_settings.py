"""The profile: name and handle."""

from __future__ import annotations

import re

import pytest


def save(client, **fields):
    return client.post("/settings/", {"name": "Ada", "handle": "ada", **fields}, follow=True)


def test_name_and_handle_are_saved(at_home, author):
    page = save(at_home, name="Ada Byron", handle="countess").content.decode()
    author.refresh_from_db()
    assert (author.name, author.handle) == ("Ada Byron", "countess")
    assert "Your profile is saved." in page


def test_changing_the_handle_changes_what_programs_call_the_voices(at_home, voice):
    assert voice.api_name == "ada/essays"
    page = save(at_home, handle="countess").content.decode()
    voice.owner.refresh_from_db()
    assert voice.api_name == "countess/essays"
    assert "programs that still ask for a voice by its old name" in page


@pytest.mark.parametrize(
    ("handle", "said"),
    [
        ("Ada!", "Use small letters, digits and hyphens."),
        ("-ada", "Use small letters"),
        ("jo", "Somebody else has this"),
    ],
)
def test_a_handle_that_cannot_be_is_refused_with_its_reason(at_home, author, make_author, handle, said):
    make_author(handle="jo")
    assert said in save(at_home, handle=handle).content.decode()
    author.refresh_from_db()
    assert author.handle == "ada"


def test_email_password_and_logging_out_are_reached_from_here(at_home):
    page = at_home.get("/settings/").content.decode()
    assert 'href="/accounts/email/"' in page
    assert 'href="/accounts/password/change/"' in page
    assert '<form method="post" action="/accounts/logout/"' in page


def test_the_password_is_changed_by_who_knows_the_old_one(at_home, author):
    fields = {"password1": "wool and wet ink", "password2": "wool and wet ink"}
    refused = at_home.post("/accounts/password/change/", {"oldpassword": "a loud password", **fields})
    assert refused.status_code == 200
    at_home.post("/accounts/password/change/", {"oldpassword": "a quiet password", **fields})
    author.refresh_from_db()
    assert author.check_password("wool and wet ink")


def test_every_label_points_at_a_field_of_its_own(at_home):
    ids = re.findall(r'\bid="([^"]+)"', at_home.get("/settings/").content.decode())

    assert "key_name" in ids
    assert len(ids) == len(set(ids))
