"""Log-probabilities are the model's own, and say where in the text each token stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from tests.inference import tiny
from tests.inference.tiny_worker import GREEDY, Client, Connect, complete, error_of, events_of, text_of

CHAT: dict[str, Any] = {**GREEDY, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 12}


@torch.inference_mode()
def expected(prompt: str, written: list[int]) -> torch.Tensor:
    """(written, vocabulary): what transformers says at each position."""
    ids = tiny.tokenizer()(prompt).input_ids
    logits = tiny.model()(torch.tensor([ids + written])).logits[0, len(ids) - 1 : -1]
    return logits.log_softmax(dim=-1)


def token_of(text: str) -> int:
    """The id of a single byte, as the answer writes it."""
    if text == "<|end|>":
        return 256
    byte = int(text.removeprefix("bytes:\\x"), 16) if text.startswith("bytes:") else text.encode()[0]
    [token] = [t for t in range(256) if tiny.tokenizer().convert_ids_to_tokens(t) == letter_of(byte)]
    return token


def letter_of(byte: int) -> str:
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return chr(byte) if byte in plain else chr(0x100 + [b for b in range(256) if b not in plain].index(byte))


async def logprobs_of(client: Client, **fields: Any) -> tuple[str, dict[str, Any]]:
    response = await complete(client, **fields)
    assert response.status == 200, await response.text()
    choice = (await response.json())["choices"][0]
    return choice["text"], choice["logprobs"]


async def chat(client: Client, **fields: Any) -> dict[str, Any]:
    response = await client.post("/v1/chat/completions", json={**CHAT, "logprobs": True, **fields})
    assert response.status == 200, await response.text()
    choice: dict[str, Any] = (await response.json())["choices"][0]
    return choice


async def test_a_completion_tells_each_token_its_place_and_its_probability(connect: Connect) -> None:
    text, told = await logprobs_of(await connect(), max_tokens=40, logprobs=2)
    assert set(told) == {"text_offset", "token_logprobs", "tokens", "top_logprobs"}
    assert {len(values) for values in told.values()} == {40}
    written = [token_of(token) for token in told["tokens"]]
    reference = expected("Once", written)
    for place, (token, logprob, top) in enumerate(
        zip(written, told["token_logprobs"], told["top_logprobs"], strict=True)
    ):
        assert logprob == pytest.approx(reference[place, token].item(), abs=1e-4)
        assert list(top.values()) == pytest.approx(reference[place].topk(2).values.tolist(), abs=1e-4)
        assert next(iter(top)) == told["tokens"][place]  # greedy: the likeliest was chosen
    assert told["text_offset"] == sorted(told["text_offset"])
    for token, place in zip(told["tokens"], told["text_offset"], strict=True):
        assert token.startswith(("bytes:", "<|end|>")) or text[place] == token


async def test_a_chosen_token_is_told_even_when_it_is_not_among_the_likeliest(connect: Connect) -> None:
    _, told = await logprobs_of(await connect(), max_tokens=40, logprobs=1, temperature=2, seed=3)
    assert {len(top) for top in told["top_logprobs"]} == {1, 2}
    for token, logprob, top in zip(told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True):
        assert top[token] == logprob


async def test_without_alternatives_the_chosen_token_is_told_alone(connect: Connect) -> None:
    _, told = await logprobs_of(await connect(), logprobs=0)
    assert [list(top) for top in told["top_logprobs"]] == [[token] for token in told["tokens"]]


async def test_a_chat_tells_tokens_with_their_bytes(connect: Connect) -> None:
    choice = await chat(await connect(), top_logprobs=3, max_tokens=40)
    assert set(choice["logprobs"]) == {"content", "refusal"}
    content = choice["logprobs"]["content"]
    assert len(content) == 40
    shown = b"".join(bytes(token["bytes"]) for token in content if token["token"] != "<|end|>")
    assert shown.decode(errors="replace").startswith(choice["message"]["content"].split("\ufffd")[0])
    for token in content:
        assert set(token) == {"token", "logprob", "bytes", "top_logprobs"}
        assert token["top_logprobs"][0] == {name: token[name] for name in ("token", "logprob", "bytes")}
        assert len(token["top_logprobs"]) == 3


async def test_a_chat_without_alternatives_has_empty_lists_of_them(connect: Connect) -> None:
    client = await connect()
    assert [token["top_logprobs"] for token in (await chat(client))["logprobs"]["content"]] == [[]] * 12
    assert (await chat(client, logprobs=False))["logprobs"] is None


async def test_alternatives_need_logprobs(connect: Connect) -> None:
    client = await connect()
    for fields, param in [
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"logprobs": 1}, "logprobs"),
    ]:
        response = await client.post("/v1/chat/completions", json=CHAT | fields)
        assert (await error_of(response, 400))["param"] == param


async def test_a_streams_pieces_add_up_to_the_whole(connect: Connect) -> None:
    client = await connect()
    asked = {"max_tokens": 30, "logprobs": 2, "stop": "\x00never"}
    text, whole = await logprobs_of(client, **asked)
    events = [event["choices"][0] for event in await events_of(await complete(client, **asked, stream=True))]
    assert "".join(event["text"] for event in events) == text
    for name in ("tokens", "text_offset"):
        assert [value for event in events for value in event["logprobs"][name]] == whole[name]
    logprobs = [value for event in events for value in event["logprobs"]["token_logprobs"]]
    assert logprobs == pytest.approx(whole["token_logprobs"], abs=1e-4)

    content = (await chat(client, top_logprobs=2))["logprobs"]["content"]
    response = await client.post(
        "/v1/chat/completions", json={**CHAT, "logprobs": True, "top_logprobs": 2, "stream": True}
    )
    first, *events = [event["choices"][0] for event in await events_of(response)]
    assert first["logprobs"] is None
    streamed = [token for event in events for token in event["logprobs"]["content"]]
    assert [token["token"] for token in streamed] == [token["token"] for token in content]
    logprobs = [token["logprob"] for token in content]  # to the last digit only where the cache holds as much
    assert [token["logprob"] for token in streamed] == pytest.approx(logprobs, abs=1e-4)


async def test_impossible_tokens_have_a_number_that_json_knows(connect: Connect) -> None:
    client = await connect()
    response = await complete(client, logprobs=20, logit_bias={"7": -100})
    json.loads(await response.text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


async def test_a_bias_makes_tokens_sure_or_impossible(connect: Connect) -> None:
    client = await connect()
    [token] = tiny.tokenizer()("A").input_ids
    assert await text_of(client, logit_bias={str(token): 100}) == "A" * 8
    usual, told = await logprobs_of(client, logprobs=0)
    first = token_of(told["tokens"][0])
    banned, _ = await logprobs_of(client, logprobs=0, logit_bias={str(first): -100})
    assert banned != usual


async def test_probabilities_are_the_models_own_whatever_the_bias(connect: Connect) -> None:
    [token] = tiny.tokenizer()("A").input_ids
    _, told = await logprobs_of(await connect(), max_tokens=1, logprobs=0, logit_bias={str(token): 100})
    assert told["token_logprobs"][0] == pytest.approx(expected("Once", [token])[0, token].item(), abs=1e-4)
