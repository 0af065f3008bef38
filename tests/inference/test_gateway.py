"""The gateway against a scripted server: what it sends, and what it makes of each answer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from adapters.store import AdapterStore
from inference.gateway import CHAT, TEXT, Gateway, Server, SyncGateway
from inference.wire import Busy, NotFound, Refused, Unavailable, Usage
from tests.inference.scripted_engine import ScriptedEngine, free_address, until

ASK = {"model": "base", "messages": [{"role": "user", "content": "Write."}], "max_tokens": 20}
UNKNOWN = {"error": {"message": "The model does not exist.", "type": "NotFoundError", "code": 404}}


def put_adapter(store: AdapterStore, scratch: Path) -> str:
    scratch.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json", "manifest.json"):
        (scratch / name).write_text("{}")
    return store.put(scratch)


def test_a_whole_answer_comes_with_its_usage(server):
    text = SyncGateway(server).complete(CHAT, ASK)

    assert (text.text, text.finish_reason) == ("Rain fell on the tin roof.", "stop")
    assert text.usage == Usage(prompt_tokens=7, completion_tokens=6)


def test_completions_are_read_like_chats(server):
    assert SyncGateway(server).complete(TEXT, {"model": "base", "prompt": "It"}).text == "Rain fell on the tin roof."


@pytest.mark.parametrize(("kind", "ask"), [(CHAT, ASK), (TEXT, {"model": "base", "prompt": "It"})])
async def test_a_stream_gives_the_text_in_pieces_and_the_usage_at_the_end(server, kind, ask):
    stream = await Gateway(server).stream(kind, {**ask, "stream_options": {"include_usage": True}})
    pieces = [piece async for piece in stream]
    await stream.aclose()

    assert [piece.text for piece in pieces if piece.text] == ["Rain", " fell", " on", " the", " tin", " roof."]
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]
    assert pieces[-1].usage == Usage(prompt_tokens=7, completion_tokens=6)


def test_the_synchronous_stream_gives_the_same(server):
    assert "".join(piece.text for piece in SyncGateway(server).stream(CHAT, ASK)) == "Rain fell on the tin roof."


def test_line_separators_inside_of_a_text_are_text(engine, server):
    engine.text = "Rain\u2028fell\x85on\x0cthe\u2029roof."

    assert "".join(piece.text for piece in SyncGateway(server).stream(CHAT, ASK)) == engine.text


async def test_closing_a_stream_lets_the_engine_know(engine, server):
    engine.pause = 0.05
    engine.text = "word " * 200
    stream = await Gateway(server).stream(CHAT, ASK)
    async for piece in stream:
        if piece.text:
            break
    await stream.aclose()

    assert await asyncio.to_thread(engine.gone.wait, 5)


def test_closing_a_synchronous_stream_lets_the_engine_know(engine, server):
    engine.pause = 0.05
    engine.text = "word " * 200
    pieces = SyncGateway(server).stream(CHAT, ASK)
    next(pieces)
    pieces.close()

    assert engine.gone.wait(5)


async def test_cancelling_a_whole_answer_lets_the_engine_know(engine, server):
    engine.pause = 60
    asking = asyncio.create_task(Gateway(server).complete(CHAT, ASK))
    await until(lambda: engine.requests)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert await asyncio.to_thread(engine.gone.wait, 5)


def test_a_server_that_is_not_running_is_said_to_be_so(server):
    gateway = SyncGateway(dataclasses.replace(server, url=free_address()))

    assert gateway.health().state == "down"
    with pytest.raises(Unavailable, match="not running") as caught:
        gateway.complete(CHAT, ASK)
    assert not caught.value.starting


def test_a_server_that_loads_its_model_is_starting(engine, server):
    for path in ("/health", CHAT):
        engine.plan(path, 503, {"status": "loading"}, {"Retry-After": "3"})

    assert SyncGateway(server).health().state == "starting"
    with pytest.raises(Unavailable, match="being loaded") as caught:
        SyncGateway(server).complete(CHAT, ASK)
    assert (caught.value.starting, caught.value.retry_after) == (True, 3)


def test_a_server_that_is_about_to_stop_says_so(engine, server):
    engine.plan("/health", 503, {"status": "stopping"})

    health = SyncGateway(server).health()
    assert (health.state, health.message) == ("starting", "The writing engine is being restarted.")


def test_a_server_that_answers_is_ready(server):
    assert SyncGateway(server).health().state == "ready"


def test_a_full_queue_says_when_to_come_back(engine, server):
    engine.plan(CHAT, 429, {"error": {"message": "full"}}, {"Retry-After": "17"})

    with pytest.raises(Busy) as caught:
        SyncGateway(server).complete(CHAT, ASK)
    assert caught.value.retry_after == 17


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "prompt is too long", "param": "prompt", "code": "context_length_exceeded"}},
        {"object": "error", "message": "prompt is too long", "param": "prompt", "code": "context_length_exceeded"},
    ],
    ids=["OpenAI's shape", "old vLLM's shape"],
)
async def test_a_refusal_keeps_the_engines_words(engine, server, body):
    engine.plan(CHAT, 400, body)

    with pytest.raises(Refused, match="prompt is too long") as caught:
        await Gateway(server).stream(CHAT, ASK)
    assert (caught.value.param, caught.value.code) == ("prompt", "context_length_exceeded")


def test_a_wrong_secret_is_the_operators_mistake(server):
    with pytest.raises(Unavailable, match="IDIOLECT_INFERENCE_SECRET"):
        SyncGateway(dataclasses.replace(server, secret="stale")).complete(CHAT, ASK)


def test_a_broken_engine_is_unavailable(engine, server):
    engine.plan(CHAT, 500, "Traceback")

    with pytest.raises(Unavailable, match="500"):
        SyncGateway(server).complete(CHAT, ASK)


def test_something_else_at_the_address_is_found_out(engine, server):
    engine.plan("/v1/models", 200, "<html>Welcome to nginx</html>")

    with pytest.raises(Unavailable, match="not a writing engine"):
        SyncGateway(server).models()


@pytest.mark.parametrize("words", [0, 2])
def test_an_engine_that_dies_in_the_middle_is_noticed(engine, server, words):
    engine.dies_after = words

    with pytest.raises(Unavailable, match="went away"):
        list(SyncGateway(server).stream(CHAT, ASK))


def test_an_error_in_the_middle_of_a_stream_is_raised(engine, server):
    engine.fails_after = 2
    pieces = SyncGateway(server).stream(CHAT, ASK)

    with pytest.raises(Unavailable, match="out of memory"):
        list(pieces)


def test_a_silent_engine_is_given_up(engine, server):
    engine.pause = 5

    with pytest.raises(Unavailable, match="in time"):
        list(SyncGateway(dataclasses.replace(server, silence_seconds=0.2)).stream(CHAT, ASK))


def test_models_are_the_base_and_the_loaded_adapters(server):
    assert [(model.id, model.parent) for model in SyncGateway(server).models()] == [
        ("base", None),
        ("a" * 64, "base"),
    ]


async def test_whose_text_it_is_travels_beside_the_request(engine, server):
    stream = await Gateway(server).stream(CHAT, ASK, owner="17")
    await stream.aclose()
    await Gateway(server).complete(CHAT, ASK, owner="18")
    await Gateway(server).complete(CHAT, ASK)

    assert engine.owners == ["17", "18", None]


def test_adapters_are_told_with_their_tier(engine, server):
    known = {"digest": "a" * 64, "rank": 8, "bytes": 9, "tier": "host", "last_used": 0.5}
    engine.adapters = [{**known, "requests_running": 1, "requests_waiting": 2}]

    [adapter] = SyncGateway(server).adapters()
    assert (adapter.digest, adapter.tier, adapter.running, adapter.waiting) == ("a" * 64, "host", 1, 2)
    assert adapter.last_used.timestamp() == 0.5


def test_an_adapter_that_goes_bad_in_the_middle_of_a_stream_is_refused(engine, server):
    refused = {"error": {"message": "adapter x is refused: y", "code": "adapter_refused", "param": "model"}}
    engine.plan(CHAT, 200, f"data: {json.dumps(refused)}\n\n")

    with pytest.raises(Refused, match="is refused") as caught:
        list(SyncGateway(server).stream(CHAT, ASK))
    assert caught.value.code == "adapter_refused"


class TestAnAdapterThatIsNotLoaded:
    """vLLM answers 404 for it; our own worker loads it by itself."""

    def test_is_loaded_once_and_asked_again(self, engine: ScriptedEngine, server: Server, tmp_path: Path):
        digest = put_adapter(AdapterStore(server.adapters), tmp_path / "made")
        engine.plan(CHAT, 404, UNKNOWN)

        assert SyncGateway(server).complete(CHAT, {**ASK, "model": digest}).text
        assert engine.bodies("/v1/load_lora_adapter") == [
            {"lora_name": digest, "lora_path": str(server.adapters / digest[:2] / digest)}
        ]

    async def test_is_loaded_for_a_stream_too(self, engine: ScriptedEngine, server: Server, tmp_path: Path):
        digest = put_adapter(AdapterStore(server.adapters), tmp_path / "made")
        engine.plan(CHAT, 404, UNKNOWN)

        stream = await Gateway(server).stream(CHAT, {**ASK, "model": digest})
        assert "".join([piece.text async for piece in stream]) == "Rain fell on the tin roof."
        await stream.aclose()

    def test_may_have_been_loaded_by_somebody_else_meanwhile(
        self, engine: ScriptedEngine, server: Server, tmp_path: Path
    ):
        digest = put_adapter(AdapterStore(server.adapters), tmp_path / "made")
        engine.plan(CHAT, 404, UNKNOWN)
        engine.plan("/v1/load_lora_adapter", 400, {"error": {"message": "has already been loaded"}})

        assert SyncGateway(server).complete(CHAT, {**ASK, "model": digest}).text

    def test_is_refused_with_the_reason_why_it_cannot_be_loaded(
        self, engine: ScriptedEngine, server: Server, tmp_path: Path
    ):
        digest = put_adapter(AdapterStore(server.adapters), tmp_path / "made")
        engine.plan(CHAT, 404, UNKNOWN)
        engine.plan(CHAT, 404, UNKNOWN)
        engine.plan("/v1/load_lora_adapter", 400, {"error": {"message": "rank 512 is too large"}})

        with pytest.raises(Refused, match="rank 512") as caught:
            SyncGateway(server).complete(CHAT, {**ASK, "model": digest})
        assert caught.value.code == "adapter_refused"

    def test_is_not_found_when_the_store_has_none(self, engine: ScriptedEngine, server: Server):
        engine.plan(CHAT, 404, UNKNOWN)

        with pytest.raises(NotFound, match="not in the store"):
            SyncGateway(server).complete(CHAT, {**ASK, "model": "0" * 64})


def test_an_unknown_name_is_never_loaded(engine, server):
    engine.plan(CHAT, 404, UNKNOWN)

    with pytest.raises(NotFound):
        SyncGateway(server).complete(CHAT, {**ASK, "model": "../../etc/passwd"})
    assert not engine.bodies("/v1/load_lora_adapter")


def test_the_request_travels_unchanged_but_for_stream(engine, server):
    SyncGateway(server).complete(CHAT, {**ASK, "seed": 3})

    assert engine.bodies(CHAT) == [json.loads(json.dumps({**ASK, "seed": 3, "stream": False}))]
