"""Answers and streams have OpenAI's shapes, and say the same."""

from __future__ import annotations

from typing import Any

from tests.inference import tiny
from tests.inference.tiny_worker import (
    GREEDY,
    Connect,
    complete,
    events_of,
    text_of,
)


async def test_a_completion_in_openai_shape(connect: Connect) -> None:
    body = await (await complete(await connect())).json()
    assert body["object"] == "text_completion"
    assert body["model"] == "tiny"
    assert body["id"].startswith("cmpl-")
    assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 8, "total_tokens": 12}
    assert body["choices"][0]["finish_reason"] == "length"


async def test_text_and_token_ids_are_the_same_prompt(connect: Connect) -> None:
    client = await connect()
    assert await text_of(client, prompt=tiny.tokenizer()("Once").input_ids) == await text_of(client)


async def test_a_stream_adds_up_to_the_whole(connect: Connect) -> None:
    client = await connect()
    whole = await text_of(client, max_tokens=40)
    events = await events_of(await complete(client, max_tokens=40, stream=True))
    assert "".join(event["choices"][0]["text"] for event in events) == whole
    assert [event["choices"][0]["finish_reason"] for event in events][-1] == "length"
    assert len({event["id"] for event in events}) == 1


async def test_a_chat_stream_begins_with_the_role_and_ends_with_usage(connect: Connect) -> None:
    client = await connect()
    chat = {**GREEDY, "messages": [{"role": "user", "content": "Hi"}], "max_completion_tokens": 20}
    whole = await (await client.post("/v1/chat/completions", json=chat)).json()
    options = {"stream": True, "stream_options": {"include_usage": True}}
    events = await events_of(await client.post("/v1/chat/completions", json=chat | options))
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    content = "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1])
    assert content == whole["choices"][0]["message"]["content"]
    assert events[-2]["choices"][0]["finish_reason"] == "length"
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == whole["usage"]


async def test_a_chat_is_its_template_as_a_completion(connect: Connect) -> None:
    client = await connect()

    async def chat(**fields: Any) -> str:
        response = await client.post("/v1/chat/completions", json={**GREEDY, "max_tokens": 12, **fields})
        text: str = (await response.json())["choices"][0]["message"]["content"]
        return text

    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]
    asked = {"role": "user", "content": parts}
    begun = {"role": "assistant", "content": "Well"}
    assert await chat(messages=[asked]) == await text_of(client, prompt="user: Hi\nassistant: ", max_tokens=12)
    continued = await chat(messages=[asked, begun], add_generation_prompt=False, continue_final_message=True)
    assert continued == await text_of(client, prompt="user: Hi\nassistant: Well", max_tokens=12)


async def test_stop_strings_are_left_out(connect: Connect) -> None:
    client = await connect()
    whole = await text_of(client, max_tokens=60)
    stop = whole[20:23]
    body = await (await complete(client, max_tokens=60, stop=stop)).json()
    assert body["choices"][0] | {"logprobs": None} == {
        "index": 0,
        "text": whole[: whole.index(stop)],
        "logprobs": None,
        "finish_reason": "stop",
    }
