"""GET /v1/models: the base model and one's own voices."""

from __future__ import annotations

import pytest

from adapters.models import Voice


@pytest.fixture
def get(client, key):
    return lambda path: client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {key}"})


def test_the_list_holds_the_base_model_each_voice_and_its_versions(get, make_version, settings):
    make_version(1, status="retired")
    make_version(2, status="rejected")
    make_version(3)
    listed = get("models").json()

    assert listed["object"] == "list"
    names = [model["id"] for model in listed["data"]]
    assert names == [settings.BASE_MODEL, "ada/essays", "ada/essays@3", "ada/essays@1"]


def test_other_peoples_voices_are_not_listed_and_not_found(get, make_author, make_version):
    theirs = Voice.objects.create(owner=make_author(email="bob@example.org"), name="Notes", slug="notes")
    make_version(1, voice=theirs)

    assert "bob/notes" not in [model["id"] for model in get("models").json()["data"]]
    assert get("models/bob/notes").json()["error"]["code"] == "model_not_found"


def test_one_model_says_which_version_it_is_now(get, make_version, settings):
    version = make_version(3)

    assert get("models/ada/essays").json() == {
        "id": "ada/essays",
        "object": "model",
        "created": int(version.created_at.timestamp()),
        "owned_by": "ada",
        "root": "ada/essays@3",
        "parent": settings.BASE_MODEL,
    }


def test_the_base_model_is_found_by_its_name(get, settings):
    assert get(f"models/{settings.BASE_MODEL}").json()["id"] == settings.BASE_MODEL


def test_a_folders_path_is_nobody_elses_business(get, settings):
    settings.BASE_MODEL = "/srv/models/llama-8b"

    assert [model["id"] for model in get("models").json()["data"]] == ["llama-8b"]


@pytest.mark.parametrize("name", ["ada/nothing", "ada/essays@9", "ada/essays@" + "9" * 30, "a" * 64, "../etc/passwd"])
def test_unknown_names_are_not_found(get, make_version, name):
    make_version(1)
    response = get(f"models/{name}")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
