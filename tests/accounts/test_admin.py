"""People and keys in the admin: for staff, and without anything that opens a door."""

from __future__ import annotations

import pytest

from accounts import services
from accounts.models import ApiKey, User


@pytest.fixture
def key(author):
    return services.create_api_key(owner=author, name="Notebook")[0]


@pytest.fixture
def admin(client, make_author):
    client.force_login(make_author(email="root@example.org", is_staff=True, is_superuser=True))
    return client


def test_the_admin_is_for_staff(at_home):
    assert at_home.get("/admin/")["Location"].startswith("/admin/login/")


def test_people_are_listed_found_and_made(admin, author):
    assert author.email in admin.get("/admin/accounts/user/?q=ada").content.decode()
    assert admin.get(f"/admin/accounts/user/{author.pk}/change/").status_code == 200
    fields = {"email": "new@example.org", "handle": "new", "usable_password": "true"}
    fields |= {"password1": "wool and wet ink", "password2": "wool and wet ink"}
    assert admin.post("/admin/accounts/user/add/", fields).status_code == 302
    assert User.objects.get(handle="new").check_password("wool and wet ink")


def test_a_keys_hash_is_neither_shown_nor_changed(admin, key):
    address = f"/admin/accounts/apikey/{key.pk}/change/"
    page = admin.get(address).content.decode()
    assert key.prefix in page
    assert key.hash not in page
    admin.post(address, {"hash": "0" * 64, "name": "Mine now", "owner": "1"})
    assert list(ApiKey.objects.values_list("hash", "name")) == [(key.hash, "Notebook")]
    assert admin.get("/admin/accounts/apikey/add/").status_code == 403


def test_staff_may_revoke_keys(admin, key):
    admin.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    assert ApiKey.objects.get().revoked_at is not None
