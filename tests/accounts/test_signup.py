"""From a stranger to an author: signing up, confirming, logging in and out, and forgetting the password."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client

from accounts.models import User

PASSWORD = "wool and wet ink"


@pytest.fixture(autouse=True)
def _records(db): ...


def sign_up(client: Client, *, email: str = "jo.march@example.org", password: str = PASSWORD):
    return client.post("/accounts/signup/", {"email": email, "password1": password}, follow=True)


def log_in(client: Client, *, email: str = "ada@example.org", password: str = "a quiet password"):
    return client.post("/accounts/login/", {"login": email, "password": password})


def link_in(message: mail.EmailMessage) -> str:
    """The path of the one link that stands alone on a line, as people can click it in any mail program."""
    [link] = [line for line in message.body.splitlines() if re.fullmatch(r"http://testserver/\S+", line)]
    return link.removeprefix("http://testserver")


def is_logged_in(client: Client) -> bool:
    return client.get("/settings/").status_code == 200


def test_an_author_signs_up_confirms_and_is_in(client):
    page = sign_up(client)
    assert "Look in your mail" in page.content.decode()
    assert not is_logged_in(client)

    [message] = mail.outbox
    assert message.to == ["jo.march@example.org"]
    assert message.subject == "Confirm your address for Idiolect"
    link = link_in(message)
    assert "Yes, confirm it" in client.get(link).content.decode()
    assert not EmailAddress.objects.get().verified, "a mail scanner that follows the link must not confirm it"

    assert client.post(link).status_code == 302
    assert EmailAddress.objects.get().verified
    assert is_logged_in(client)
    assert User.objects.get().handle == "jo-march"


def test_without_confirming_nobody_gets_in(client):
    sign_up(client)
    answer = log_in(client, email="jo.march@example.org", password=PASSWORD)
    assert answer["Location"] == "/accounts/confirm-email/"
    assert not is_logged_in(client)


def test_a_link_that_is_broken_says_how_to_get_another(client):
    page = client.get("/accounts/confirm-email/broken/").content.decode()
    assert "This link no longer works" in page
    assert "you are sent a new one" in page


def test_a_weak_password_is_refused_with_its_reason(client):
    page = sign_up(client, password="password12").content.decode()
    assert "too common" in page
    assert 'aria-invalid="true"' in page
    assert not User.objects.exists()


def test_signing_up_twice_does_not_tell_strangers_who_has_an_account(client, author):
    page = sign_up(client, email=author.email)
    assert "Look in your mail" in page.content.decode()
    [message] = mail.outbox
    assert message.to == [author.email]
    assert message.subject == "You have an Idiolect account already"
    assert link_in(message) == "/accounts/password/reset/"
    assert User.objects.count() == 1


@pytest.mark.parametrize("page", ["/accounts/confirm-email/", "/accounts/password/reset/done/"])
def test_the_page_says_where_the_mail_is_when_it_is_only_printed(client, settings, page):
    assert "printed in the terminal" not in client.get(page).content.decode()
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert "printed in the terminal" in client.get(page).content.decode()


def test_logging_in_leads_to_ones_voices(client, author):
    assert log_in(client)["Location"] == "/voices/"
    assert is_logged_in(client)


def test_a_wrong_password_is_refused_without_saying_which_part_was_wrong(client, author):
    wrong = log_in(client, password="a loud password").content.decode()
    unknown = log_in(client, email="nobody@example.org").content.decode()
    [said] = re.findall(r'role="alert">\s*<p>(.+?)</p>', wrong)
    assert said in unknown
    assert not is_logged_in(client)


def test_a_person_who_was_switched_off_is_told_so(client, author):
    User.objects.filter(pk=author.pk).update(is_active=False)
    assert log_in(client)["Location"] == "/accounts/inactive/"
    assert "This account is closed" in client.get("/accounts/inactive/").content.decode()


def test_logging_out_is_asked_for_and_then_posted(at_home):
    assert "Log out?" in at_home.get("/accounts/logout/").content.decode()
    assert is_logged_in(at_home), "a link on another site must not log anybody out"
    assert at_home.post("/accounts/logout/")["Location"] == "/"
    assert not is_logged_in(at_home)


def test_a_forgotten_password_is_replaced(client, author):
    page = client.post("/accounts/password/reset/", {"email": author.email}, follow=True)
    assert "Look in your mail" in page.content.decode()
    link = link_in(mail.outbox[-1])

    form = client.get(link, follow=True)
    assert "Choose a new password" in form.content.decode()
    done = client.post(form.request["PATH_INFO"], {"password1": PASSWORD, "password2": PASSWORD}, follow=True)
    assert "Your password is changed" in done.content.decode()

    assert log_in(client, password="a quiet password").status_code == 200
    assert log_in(client, password=PASSWORD).status_code == 302
    client.logout()
    again = client.get(link, follow=True).content.decode()
    assert "This link no longer works" in again


def test_an_unknown_address_gets_a_mail_that_offers_to_sign_up(client):
    page = client.post("/accounts/password/reset/", {"email": "nobody@example.org"}, follow=True)
    assert "Look in your mail" in page.content.decode()
    assert link_in(mail.outbox[-1]) == "/accounts/signup/"


def test_fields_carry_labels_and_no_placeholders(client):
    for page in ["/accounts/signup/", "/accounts/login/", "/accounts/password/reset/"]:
        html = client.get(page).content.decode()
        assert "placeholder" not in html
        for field in re.findall(r'<input[^>]+id="(id_\w+)"', html):
            assert f'for="{field}"' in html
