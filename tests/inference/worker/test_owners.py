"""Whose request it is reaches the engine, which has owners take turns."""

from __future__ import annotations

import asyncio

from inference.engine import Engine, Request
from tests.inference.tiny_worker import GREEDY, Connect, error_of

ASK = {"prompt": "Once", "max_tokens": 2, **GREEDY}


async def test_the_header_is_the_owner(connect: Connect) -> None:
    engines: list[Engine] = []
    client = await connect(engines=engines)
    [engine] = engines
    submit, seen = engine.submit, []

    def noted(request: Request) -> None:
        seen.append(request.owner)
        submit(request)

    engine.submit = noted  # type: ignore[method-assign]
    for headers, fields in [({"X-Owner": "17"}, {"n": 2}), ({}, {}), ({"X-Owner": " "}, {})]:
        assert (await client.post("/v1/completions", json=ASK | fields, headers=headers)).status == 200
    assert seen == ["17", "17", None, None]


async def test_an_owner_that_is_a_text_is_refused(connect: Connect) -> None:
    response = await (await connect()).post("/v1/completions", json=ASK, headers={"X-Owner": "x" * 129})
    assert (await error_of(response, 400))["param"] == "X-Owner"


async def test_one_owners_many_requests_do_not_hold_up_anothers(connect: Connect) -> None:
    client = await connect(max_running=2, step_seconds=0.01)

    async def ask(owner: str) -> None:
        response = await client.post("/v1/completions", json=ASK | {"max_tokens": 10}, headers={"X-Owner": owner})
        assert response.status == 200

    many = [asyncio.create_task(ask("1")) for _ in range(20)]
    await asyncio.sleep(0.2)
    await ask("2")
    assert sum(not call.done() for call in many) > 8
    await asyncio.gather(*many)
