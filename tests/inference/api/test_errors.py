"""Whatever goes wrong, the answer has OpenAI's shape and says what to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services as accounts
from accounts.models import ApiKey
from adapters.models import Voice
from inference.gateway import CHAT
from tests.inference.scripted_engine import free_address

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def error(response, status: int) -> dict[str, str | None]:
    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    said = response.json()["error"]
    assert said.keys() == {"message", "type", "param", "code"}
    return said


@pytest.fixture
def ask_base(ask, settings):
    """A good chat with the base model, but for what is given."""
    return lambda **fields: ask("chat/completions", **{"model": settings.BASE_MODEL, **HELLO, **fields})


class TestTheKey:
    @pytest.mark.parametrize("header", [None, "Bearer", "Bearer idk-wrong", "Basic YTpi", "idk-wrong", "Bearer \xff"])
    def test_missing_or_wrong_is_refused(self, client, db, header):
        headers = {"Authorization": header} if header else {}
        response = client.post("/v1/chat/completions", HELLO, "application/json", headers=headers)

        assert error(response, 401)["code"] == "invalid_api_key"
        assert response["WWW-Authenticate"] == "Bearer"

    def test_revoked_is_refused(self, ask_base, author):
        accounts.revoke_api_key(key=author.api_keys.get())

        assert error(ask_base(), 401)["code"] == "invalid_api_key"

    def test_expired_is_refused(self, ask_base):
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

        assert "expired" in error(ask_base(), 401)["message"]

    def test_cannot_be_a_login(self, client, author):
        client.force_login(author)

        error(client.get("/v1/models"), 401)


class TestTheModel:
    @pytest.mark.parametrize("name", ["gpt-4o", "ada/essays", "bob/notes", "0" * 64, "ada/essays@x", "/etc/passwd"])
    def test_unknown_not_trained_or_somebody_elses_is_not_found(self, ask_base, make_author, make_version, voice, name):
        theirs = Voice.objects.create(owner=make_author(email="bob@example.org"), name="Notes", slug="notes")
        make_version(1, voice=theirs)
        said = error(ask_base(model=name), 404)

        assert (said["code"], said["param"]) == ("model_not_found", "model")

    def test_whose_files_are_gone_says_so_without_naming_a_digest(self, ask_base, site_engine, make_version):
        version = make_version(1)
        site_engine.plan(CHAT, 404, {"error": {"message": f"no {version.digest}"}})
        said = error(ask_base(model="ada/essays"), 404)

        assert "train the voice again" in said["message"]
        assert version.digest not in said["message"]


class TestTheRequest:
    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"model": None}, "model"),
            ({"messages": None}, "messages"),
            ({"messages": []}, "messages"),
            ({"messages": "Hello"}, "messages"),
            ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
            ({"messages": [{"role": "user"}]}, "messages[0].content"),
            ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
            ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
            ({"temperature": 3}, "temperature"),
            ({"temperature": "hot"}, "temperature"),
            ({"top_p": 0}, "top_p"),
            ({"max_tokens": 0}, "max_tokens"),
            ({"max_completion_tokens": -1}, "max_completion_tokens"),
            ({"seed": 2**70}, "seed"),
            ({"stop": [""]}, "stop"),
            ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
            ({"stream": "perhaps"}, "stream"),
            ({"stream_options": {"include_usage": "perhaps"}}, "stream_options.include_usage"),
            ({"n": 0}, "n"),
            ({"n": 17}, "n"),
            ({"best_of": 2}, "best_of"),
            ({"n": 2, "best_of": 3}, "best_of"),
            ({"logprobs": 3}, "logprobs"),
            ({"top_logprobs": 2}, "top_logprobs"),
            ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
            ({"logit_bias": [5]}, "logit_bias"),
            ({"logit_bias": {"five": 1}}, "logit_bias"),
            ({"logit_bias": {"5": "much"}}, "logit_bias"),
            ({"min_tokens": -1}, "min_tokens"),
            ({"stop_token_ids": [-1]}, "stop_token_ids[0]"),
            ({"ignore_eos": "perhaps"}, "ignore_eos"),
            ({"tools": [{"type": "function"}]}, "tools"),
            ({"response_format": {"type": "json_object"}}, "response_format"),
        ],
    )
    def test_with_a_bad_value_names_the_field(self, ask_base, fields, param):
        assert error(ask_base(**fields), 400)["param"] == param

    @pytest.mark.parametrize("prompt", [None, 7, [], ["two", "prompts"], [1, -1], [[1], [2]], [True]])
    def test_with_a_bad_prompt_names_it(self, ask, settings, prompt):
        assert error(ask("completions", model=settings.BASE_MODEL, prompt=prompt), 400)["param"] == "prompt"

    @pytest.mark.parametrize(
        ("name", "value"), [("logprobs", 21), ("logprobs", True), ("top_logprobs", 2), ("echo", True)]
    )
    def test_for_a_completion_with_a_bad_value_names_the_field(self, ask, settings, name, value):
        response = ask("completions", model=settings.BASE_MODEL, prompt="It", **{name: value})

        assert error(response, 400)["param"] == name

    @pytest.mark.parametrize("data", ["{", '["a list"]', '"text"', "7", "", b"\xff\xfe"])
    def test_that_is_no_json_object_is_refused(self, ask, data):
        error(ask("chat/completions", data), 400)

    def test_of_another_media_type_is_refused(self, client, key):
        headers = {"Authorization": f"Bearer {key}"}

        error(client.post("/v1/completions", {"prompt": "Hi"}, headers=headers), 415)

    def test_that_is_too_large_is_refused(self, ask_base, settings):
        content = "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE

        error(ask_base(messages=[{"role": "user", "content": content}]), 413)

    @pytest.mark.parametrize("path", ["completions", "chat/completions"])
    def test_by_another_method_is_refused(self, client, key, path):
        error(client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {key}"}), 405)

    @pytest.mark.parametrize("path", ["", "embeddings", "models/", "chat", "completions/"])
    def test_to_an_unknown_address_is_not_found(self, ask, path):
        assert "/v1/" in error(ask(path), 404)["message"]

    def test_may_ask_for_any_media_type(self, client, key, site_engine, settings):
        headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream"}
        body = {"model": settings.BASE_MODEL, **HELLO}

        assert client.post("/v1/chat/completions", body, "application/json", headers=headers).status_code == 200


class TestTheEngine:
    def test_not_running_is_503_and_says_when_to_come_back(self, ask_base, settings):
        settings.INFERENCE_URL = free_address()
        response = ask_base()

        assert "not running" in error(response, 503)["message"]
        assert int(response["Retry-After"]) > 0

    @pytest.mark.parametrize("stream", [False, True])
    def test_full_is_429_and_says_when_to_come_back(self, ask_base, site_engine, stream):
        site_engine.plan(CHAT, 429, {"error": {"message": "full"}}, {"Retry-After": "17"})
        response = ask_base(stream=stream)

        assert error(response, 429)["code"] == "rate_limit_exceeded"
        assert response["Retry-After"] == "17"

    @pytest.mark.parametrize("stream", [False, True])
    def test_about_to_stop_is_503_and_says_when_to_come_back(self, ask_base, site_engine, stream):
        stopping = {"error": {"message": "This worker is about to stop.", "code": "stopping"}}
        site_engine.plan(CHAT, 503, stopping, {"Retry-After": "5"})
        response = ask_base(stream=stream)

        assert "being restarted" in error(response, 503)["message"]
        assert response["Retry-After"] == "5"

    def test_refusing_an_adapter_says_which_and_why(self, ask_base, site_engine, make_version):
        version = make_version(1)
        reason = f"adapter {version.digest} is refused: r must be between 1 and 256, not 512."
        site_engine.plan(CHAT, 400, {"error": {"message": reason, "param": "model", "code": "adapter_refused"}})
        said = error(ask_base(model="ada/essays"), 400)

        assert (said["message"], said["code"]) == (reason, "adapter_refused")

    @pytest.mark.parametrize("stream", [False, True])
    def test_refusing_keeps_its_words(self, ask_base, site_engine, stream):
        told = {"message": "messages are too long", "param": "messages", "code": "context_length_exceeded"}
        site_engine.plan(CHAT, 400, {"error": told})
        said = error(ask_base(stream=stream), 400)

        assert told.items() <= said.items()

    def test_speaking_nonsense_is_the_sites_failure(self, ask_base, site_engine):
        site_engine.plan(CHAT, 200, {"unexpected": True})

        assert error(ask_base(), 500)["type"] == "server_error"
