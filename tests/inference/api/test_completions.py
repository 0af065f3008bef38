"""POST /v1/completions and /v1/chat/completions: what is passed on, and what comes back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import AsyncClient

from inference.api import views
from inference.database import in_database
from inference.gateway import CHAT, TEXT

HELLO = [{"role": "user", "content": "Hello"}]


class Stream:
    """`await stream(path, **fields)` gives the events of an answer."""

    def __init__(self, client: AsyncClient, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}
        self.raw = b""

    async def __call__(self, path: str, **fields: Any) -> list[Any]:
        body = {**fields, "stream": True}
        response = await self._client.post(f"/v1/{path}", body, "application/json", headers=self._headers)
        assert response["Content-Type"] == "text/event-stream"
        self.raw = b"".join([chunk async for chunk in response.streaming_content])
        data = [line.removeprefix("data: ") for line in self.raw.decode().split("\n\n") if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in data]


@pytest.fixture
def stream(async_client: AsyncClient, key: str) -> Stream:
    return Stream(async_client, key)


@pytest.fixture(autouse=True)
def engine_of_the_site(site_engine):
    return site_engine


def test_a_chat_is_answered_by_the_voices_live_version(ask, site_engine, make_version):
    version = make_version(3)
    answer = ask("chat/completions", model="ada/essays", messages=HELLO, max_tokens=9).json()

    assert answer["choices"][0]["message"]["content"] == "Rain fell on the tin roof."
    assert answer["usage"]["completion_tokens"] == 6
    assert answer["model"] == "ada/essays@3"
    [body] = site_engine.bodies(CHAT)
    assert body == {"model": version.digest, "messages": HELLO, "max_tokens": 9, "stream": False}


def test_an_earlier_version_can_be_asked_for(ask, site_engine, make_version):
    make_version(2)
    earlier = make_version(1, status="retired")
    ask("chat/completions", model="ada/essays@1", messages=HELLO)

    assert site_engine.bodies(CHAT)[0]["model"] == earlier.digest


def test_the_base_model_can_be_asked_for(ask, site_engine, settings):
    answer = ask("completions", model=settings.BASE_MODEL, prompt="It").json()

    assert (answer["model"], answer["choices"][0]["text"]) == (settings.BASE_MODEL, "Rain fell on the tin roof.")
    assert site_engine.bodies(TEXT)[0]["model"] == settings.BASE_MODEL


def test_sampling_is_passed_on_and_unknown_or_empty_fields_are_not(ask, site_engine, settings):
    sampling = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "seed": 7,
        "repetition_penalty": 1.1,
        "presence_penalty": -1.0,
        "frequency_penalty": 1.0,
        "min_tokens": 3,
        "stop_token_ids": [5, 6],
        "ignore_eos": True,
        "logit_bias": {"50": -100, "51": 2.5},
        "logprobs": 4,
        "n": 3,
    }
    harmless = {"user": "u-1", "best_of": 3, "top_logprobs": 0, "tools": [], "max_tokens": None, "metadata": {"a": "b"}}
    ask("completions", model=settings.BASE_MODEL, prompt=[1, 2, 3], stop="END", **sampling, **harmless)

    [body] = site_engine.bodies(TEXT)
    assert body == {"model": settings.BASE_MODEL, "prompt": [1, 2, 3], "stop": ["END"], **sampling, "stream": False}


def test_a_chats_log_probabilities_are_asked_for_in_two_fields(ask, site_engine, settings):
    ask("chat/completions", model=settings.BASE_MODEL, messages=HELLO, logprobs=True, top_logprobs=5)

    [body] = site_engine.bodies(CHAT)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)


def test_a_completion_may_say_that_it_wants_no_log_probabilities(ask, site_engine, settings):
    ask("completions", model=settings.BASE_MODEL, prompt="It", logprobs=False)

    assert "logprobs" not in site_engine.bodies(TEXT)[0]


def test_the_engine_hears_whose_request_it_is_by_a_number(ask, site_engine, settings, author):
    ask("chat/completions", model=settings.BASE_MODEL, messages=HELLO)

    assert site_engine.owners == [str(author.pk)]


def test_a_chats_newer_spellings_are_understood(ask, site_engine, settings):
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Hello "}, {"type": "text", "text": "there"}]},
        {"role": "assistant", "content": "It was"},
    ]
    ask(
        "chat/completions",
        model=settings.BASE_MODEL,
        messages=messages,
        max_completion_tokens=9,
        continue_final_message=True,
    )

    [body] = site_engine.bodies(CHAT)
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello there"},
        {"role": "assistant", "content": "It was"},
    ]
    assert body["max_tokens"] == 9
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.django_db(transaction=True)
class TestAStream:
    async def test_has_the_engines_chunks_under_the_public_name(self, stream, make_version):
        await in_database(make_version, 3)
        *chunks, end = await stream("chat/completions", model="ada/essays", messages=HELLO)

        assert end == "[DONE]"
        assert {chunk["model"] for chunk in chunks} == {"ada/essays@3"}
        assert {chunk["id"] for chunk in chunks} == {"cmpl-1"}
        text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
        assert text == "Rain fell on the tin roof."
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"

    async def test_says_whose_it_is_too(self, stream, site_engine, settings, author):
        await stream("completions", model=settings.BASE_MODEL, prompt="It")

        assert site_engine.owners == [str(author.pk)]

    async def test_ends_with_the_usage_when_asked(self, stream, settings):
        asked = {"model": settings.BASE_MODEL, "prompt": "It", "stream_options": {"include_usage": True}}

        assert (await stream("completions", **asked))[-2]["usage"]["completion_tokens"] == 6

    async def test_that_breaks_ends_with_an_error(self, stream, site_engine, settings):
        site_engine.dies_after = 2
        *chunks, end = await stream("completions", model=settings.BASE_MODEL, prompt="It")

        assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "Rain fell"
        assert "went away" in end["error"]["message"]

    async def test_keeps_the_connection_alive_while_the_engine_is_silent(
        self, stream, site_engine, settings, monkeypatch
    ):
        monkeypatch.setattr(views, "KEEP_ALIVE_SECONDS", 0.05)
        site_engine.pause = 0.3
        site_engine.text = "Rain."
        await stream("completions", model=settings.BASE_MODEL, prompt="It")

        assert b": still here" in stream.raw
