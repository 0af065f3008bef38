"""The admin's page of adapters in memory: for staff, with the voices that they are, whatever the engine says."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from adapters.models import Voice
from inference import admin
from tests.accounts.strict_html import forbidden_in
from tests.inference.scripted_engine import free_address

PAGE = "/admin/inference/adapters/"


def known(digest: str, **fields: Any) -> dict[str, Any]:
    usual = {"rank": 8, "bytes": 3 << 20, "tier": "device", "last_used": time.time() - 7200}
    return {"digest": digest, **usual, "requests_running": 0, "requests_waiting": 0, **fields}


@pytest.fixture
def staff(client, make_author):
    client.force_login(make_author(email="root@example.org", is_staff=True, is_superuser=True))
    return client


def shown(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.text.split()).replace("\xa0", " ")


def test_each_adapter_has_its_voice_and_its_place(staff, site_engine, make_version):
    version = make_version(3)
    site_engine.adapters = [known(version.digest, rank=16, tier="host", requests_running=2, requests_waiting=41)]
    page = shown(staff.get(PAGE))

    assert "Essays, version 3</a> (in use)" in page
    assert reverse("admin:adapters_version_change", args=[version.pk]) in page
    cells = ["Ada", "16", "3.0 MB", "Host memory"]
    assert "".join(f"<td>{cell}</td> " for cell in cells) in page
    assert "2 hours ago" in page
    assert "<td>2</td> <td>41</td>" in page
    assert version.digest[:12] in page
    assert "Device memory: 0 (0 bytes) · Host memory: 1 (3.0 MB) · Disk: 0 (0 bytes)" in page


def test_the_last_used_one_comes_first(staff, site_engine):
    now = time.time()
    site_engine.adapters = [known("a" * 64, last_used=now - 60), known("b" * 64, last_used=now)]
    page = shown(staff.get(PAGE))

    assert page.index("b" * 12) < page.index("a" * 12)


def test_one_adapter_may_be_two_voices_and_one_nobodys(staff, site_engine, make_version, author):
    version = make_version(1)
    other = Voice.objects.create(owner=author, name="Notes", slug="notes")
    make_version(2, voice=other, digest=version.digest, status="retired")
    site_engine.adapters = [known(version.digest), known("f" * 64)]
    page = shown(staff.get(PAGE))

    assert "Essays, version 1" in page
    assert "Notes, version 2" in page
    assert page.count("Not a voice of this site") == 1


def test_thousands_have_pages_and_cost_no_query_each(
    staff, site_engine, make_version, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(admin, "ADAPTERS_A_PAGE", 10)
    versions = [make_version(number, status="retired") for number in range(1, 26)]
    site_engine.adapters = [known(version.digest, last_used=version.number) for version in versions]
    with django_assert_max_num_queries(6):
        first = shown(staff.get(PAGE))
    last = shown(staff.get(PAGE, {"page": "3"}))

    assert "Essays, version 25<" in first
    assert "Essays, version 15<" not in first
    assert "Essays, version 5<" in last
    assert "25 adapters" in last
    assert '<strong aria-current="page">3</strong>' in last
    assert "version 5<" in shown(staff.get(PAGE, {"page": "99"}))


def test_an_engine_without_adapters_says_when_they_come(staff, site_engine):
    assert "has no adapters yet" in shown(staff.get(PAGE))


def test_an_engine_that_is_down_says_so(staff, settings):
    settings.INFERENCE_URL = free_address()
    page = shown(staff.get(PAGE))

    assert "The writing engine is not running." in page
    assert "Reload the page" in page


def test_an_engine_of_another_make_keeps_it_to_itself(staff, site_engine):
    site_engine.plan("/v1/adapters", 404, {"detail": "Not Found"})

    assert "is not an Idiolect worker" in shown(staff.get(PAGE))


def test_it_is_for_staff_who_may_see_versions(client, author, make_author, site_engine):
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    client.force_login(author)
    assert client.get(PAGE)["Location"].startswith("/admin/login/")
    helper = make_author(is_staff=True)
    client.force_login(helper)
    assert client.get(PAGE).status_code == 403
    assert PAGE not in shown(client.get("/admin/"))
    helper.user_permissions.add(Permission.objects.get(codename="view_version"))
    assert client.get(PAGE).status_code == 200
    assert PAGE in shown(client.get("/admin/"))
    assert client.post(PAGE).status_code in {403, 405}


def test_it_holds_nothing_that_the_content_policy_forbids(staff, site_engine, make_version):
    site_engine.adapters = [known(make_version(1).digest)]
    usual = set(forbidden_in(staff.get(reverse("admin:adapters_version_changelist"))))

    assert set(forbidden_in(staff.get(PAGE))) <= usual
