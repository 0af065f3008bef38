"""OpenAI's own library against the whole way: site, worker, starter model, a voice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from accounts import services as accounts
from adapters.base_model import STARTER, BaseModel
from adapters.models import Version, Voice
from adapters.store import AdapterStore
from tests.inference import tiny
from tests.inference.scripted_engine import free_address
from tests.inference.test_worker import SECRET, Running, wait_until_ready, worker

pytestmark = pytest.mark.model
HELLO: list[Any] = [{"role": "user", "content": "Write a blog post.\n\nThe first frost."}]
GREEDY: dict[str, Any] = {"max_tokens": 6, "temperature": 0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AdapterStore:
    return AdapterStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def digest(
    store: AdapterStore, starter: tuple[Any, Any], base_model: BaseModel, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """An adapter with random weights: what it writes is unlike what the base model writes."""
    folder = tmp_path_factory.mktemp("voice")
    return store.put(tiny.write_adapter(starter[0], folder, seed=4, std=0.05, base_digest=base_model.digest))


@pytest.fixture(scope="module")
def running(store: AdapterStore, base_model: BaseModel) -> Iterator[Running]:
    with worker(base_model=STARTER, models=base_model.folder.parent, store=store.root) as running:
        wait_until_ready(running)
        yield running


@pytest.fixture
def site(live_site: str, running: Running, store: AdapterStore, settings: Any) -> str:
    settings.BASE_MODEL = STARTER
    settings.ADAPTER_STORE = store.root
    settings.INFERENCE_URL, settings.INFERENCE_SECRET = str(running.client.base_url).rstrip("/"), SECRET
    return f"{live_site}/v1"


@pytest.fixture
def essays(voice: Voice, digest: str, make_version: Any) -> Version:
    return make_version(3, digest=digest)


@pytest.fixture
def client(site: str, author: Any) -> Iterator[openai.OpenAI]:
    _, key = accounts.create_api_key(owner=author, name="test")
    with openai.OpenAI(base_url=site, api_key=key, max_retries=0) as client:
        yield client


def test_a_chat_in_a_voice(client, essays):
    answer = client.chat.completions.create(model="ada/essays", messages=HELLO, **GREEDY)

    assert answer.model == "ada/essays@3"
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens == 6
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 6


def test_a_streamed_chat_says_the_same_as_one_in_one_piece(client, essays):
    whole = client.chat.completions.create(model="ada/essays@3", messages=HELLO, **GREEDY)
    chunks = list(
        client.chat.completions.create(
            model="ada/essays@3", messages=HELLO, stream=True, stream_options={"include_usage": True}, **GREEDY
        )
    )

    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == whole.choices[0].message.content
    assert {chunk.model for chunk in chunks} == {"ada/essays@3"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage.completion_tokens == 6


def test_completions_streamed_and_not(client, essays):
    ask = {"model": "ada/essays", "prompt": "The frost", **GREEDY}
    whole = client.completions.create(**ask)
    streamed = list(client.completions.create(**ask, stream=True))

    assert "".join(chunk.choices[0].text for chunk in streamed) == whole.choices[0].text
    assert streamed[-1].choices[0].finish_reason == "length"


def test_log_probabilities_of_a_chat(client, essays):
    ask = {"model": "ada/essays", "messages": HELLO, "logprobs": True, "top_logprobs": 3, **GREEDY}
    choice = client.chat.completions.create(**ask).choices[0]
    streamed = [
        token
        for chunk in client.chat.completions.create(**ask, stream=True)
        if chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]

    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens) == choice.message.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == choice.message.content
    assert [token.token for token in streamed] == [token.token for token in tokens]
    for token in tokens:
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].token == token.token
        assert 0 >= token.logprob == token.top_logprobs[0].logprob >= token.top_logprobs[1].logprob


def test_log_probabilities_of_a_completion(client, essays):
    choice = client.completions.create(model="ada/essays", prompt="The frost", logprobs=2, **GREEDY).choices[0]

    told = choice.logprobs
    assert "".join(told.tokens) == choice.text
    assert all(
        choice.text[place:].startswith(token) for place, token in zip(told.text_offset, told.tokens, strict=True)
    )
    assert all(top[token] == max(top.values()) for token, top in zip(told.tokens, told.top_logprobs, strict=True))


def test_several_texts_at_once_streamed_and_not(client, essays):
    ask = {"model": "ada/essays", "messages": HELLO, "n": 3, "seed": 7, "max_tokens": 6, "temperature": 1.0}
    whole = client.chat.completions.create(**ask)
    said = ["", "", ""]
    for chunk in client.chat.completions.create(**ask, stream=True):
        said[chunk.choices[0].index] += chunk.choices[0].delta.content or ""

    texts = [choice.message.content for choice in whole.choices]
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert said == texts
    assert whole.usage.completion_tokens == 18


def test_a_bias_towards_one_token(client, essays, starter):
    [token] = starter[1](" frost", add_special_tokens=False).input_ids
    answer = client.chat.completions.create(model="ada/essays", messages=HELLO, logit_bias={str(token): 100}, **GREEDY)

    assert answer.choices[0].message.content == " frost" * 6


def test_the_voice_and_the_base_model_write_differently(client, essays):
    texts = [
        client.chat.completions.create(model=model, messages=HELLO, **GREEDY).choices[0].message.content
        for model in ("ada/essays", STARTER)
    ]

    assert texts[0] != texts[1]


def test_the_models_are_listed_and_found(client, essays):
    assert [model.id for model in client.models.list()] == [STARTER, "ada/essays", "ada/essays@3"]
    assert client.models.retrieve("ada/essays@3").owned_by == "ada"


def test_a_wrong_key_is_an_authentication_error(site, db):
    with (
        openai.OpenAI(base_url=site, api_key="idk-wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


@pytest.mark.parametrize("name", ["ada/nothing", "bob/essays", "gpt-4o"])
def test_a_wrong_model_is_not_found(client, essays, name):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=name, messages=HELLO)
    assert caught.value.code == "model_not_found"


def test_a_prompt_that_is_too_long_is_a_bad_request(client, essays):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="ada/essays", messages=[{"role": "user", "content": "frost " * 20_000}])
    assert caught.value.param == "messages"


def test_an_engine_that_is_down_is_a_server_error_that_says_when_to_come_back(client, settings):
    settings.INFERENCE_URL = free_address()
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model=STARTER, messages=HELLO)
    assert caught.value.status_code == 503
    assert int(caught.value.response.headers["Retry-After"]) > 0


def test_a_version_whose_files_are_gone_is_not_found(client, essays):
    Version.objects.update(digest="0" * 64)
    with pytest.raises(openai.NotFoundError, match="train the voice again"):
        client.chat.completions.create(model="ada/essays", messages=HELLO)
