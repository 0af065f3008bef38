"""A training's stream of events: replayed from any number on, then live, to its end."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.test import AsyncClient
from django.urls import reverse

from adapters.models import TrainingJob
from adapters.services import cancel_training, create_voice, delete_voice, jobs, submit_training
from adapters.views import events
from tests.adapters.test_story import evaluation, step

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folders", "rung")]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(events, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(events, "STANDING_SECONDS", 0.1)


@pytest.fixture(autouse=True)
async def connections_given_back():
    yield
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def listener(async_client: AsyncClient, author) -> AsyncClient:
    await async_client.aforce_login(author)
    return async_client


def at(job: TrainingJob, query: str = "") -> str:
    return reverse("voices:job-events", args=["essays", job.pk]) + query


@pytest.fixture
def running(job) -> TrainingJob:
    return jobs.claim()


def tell(job: TrainingJob, *told: tuple[str, dict[str, Any]]) -> None:
    for kind, data in told:
        jobs.record(job, kind, data)


def finish(job: TrainingJob) -> None:
    jobs.finish(jobs.held(job), job.pk, outcome=TrainingJob.Outcome.FAILED, message="It broke.")


SOME = [("loading", {}), ("baseline", {"bits_per_byte": 1.25}), ("step", step(12)), ("evaluation", evaluation(12, 1.2))]


async def chunks(response: Any) -> AsyncIterator[str]:
    async for chunk in response.streaming_content:
        yield chunk.decode()


async def read(response: Any) -> list[dict[str, Any]]:
    """Every event of a stream that ends; a state has no number of its own."""
    seen = []
    async for chunk in chunks(response):
        fields = dict(line.partition(": ")[::2] for line in chunk.strip().split("\n"))
        data = json.loads(fields["data"])
        if "event" not in fields:
            assert fields["id"] == str(data["seq"])
            seen.append(data)
    return seen


async def test_a_finished_training_is_told_from_its_first_event_to_its_last(listener, running):
    await sync_to_async(tell)(running, *SOME)
    await sync_to_async(finish)(running)
    response = await listener.get(at(running))
    assert response["Content-Type"] == "text/event-stream"
    seen = await read(response)
    assert [(event["seq"], event["kind"]) for event in seen] == [
        (1, "loading"),
        (2, "baseline"),
        (3, "step"),
        (4, "evaluation"),
        (5, "finished"),
    ]
    assert seen[2]["words"]["step"] == "12 of 1000"
    assert seen[3]["words"]["change"] == "−4.0 %"
    assert seen[4]["message"] == "It broke."


@pytest.mark.parametrize(
    ("query", "last_seen", "first"),
    [
        ("", None, 1),
        ("?from=0", None, 1),
        ("?from=3", None, 3),
        ("?from=3", "3", 4),
        ("", "1", 2),
        ("?from=5", None, 5),
    ],
)
async def test_a_training_is_replayed_from_any_event(listener, running, query, last_seen, first):
    await sync_to_async(tell)(running, *SOME)
    await sync_to_async(finish)(running)
    headers = {"Last-Event-ID": last_seen} if last_seen else {}
    seen = await read(await listener.get(at(running, query), headers=headers))
    assert [event["seq"] for event in seen] == list(range(first, 6))


@pytest.mark.parametrize("query", ["?from=6", "?from=99999999999999999999999"])
async def test_after_the_last_event_of_a_finished_training_a_browser_need_not_come_again(listener, running, query):
    await sync_to_async(tell)(running, *SOME)
    await sync_to_async(finish)(running)
    assert (await listener.get(at(running, query))).status_code == 204


@pytest.mark.parametrize(("query", "headers"), [("?from=x", {}), ("?from=-1", {}), ("", {"Last-Event-ID": "x"})])
async def test_what_is_no_number_is_refused(listener, running, query, headers):
    assert (await listener.get(at(running, query), headers=headers)).status_code == 400


async def test_events_come_as_they_happen_and_the_stream_ends_with_the_training(listener, running):
    response = await listener.get(at(running))
    reading = asyncio.create_task(read(response))
    await sync_to_async(tell)(running, *SOME)
    await asyncio.sleep(0.2)
    assert not reading.done()
    await sync_to_async(tell)(running, ("step", step(13)))
    await sync_to_async(finish)(running)
    seen = await asyncio.wait_for(reading, 5)
    assert [event["seq"] for event in seen] == [1, 2, 3, 4, 5, 6]


async def test_a_waiting_training_tells_how_many_come_first_and_when_that_changes(listener, author, ready_voice):
    other = await sync_to_async(create_voice)(owner=author, name="Other")
    first = await TrainingJob.objects.acreate(voice=other, recipe={})
    job = await sync_to_async(submit_training)(voice=ready_voice, by=author)
    stream = chunks(await listener.get(at(job)))
    name, _, data = (await anext(stream)).strip().partition("\n")
    expected = {"state": "queued", "before": 1, "wait": None, "left": None, "words": "1 before yours"}
    assert (name, json.loads(data.removeprefix("data: "))) == ("event: state", expected)
    await sync_to_async(cancel_training)(job=first)
    assert '"before": 0' in await asyncio.wait_for(anext(stream), 5)
    claimed = await sync_to_async(jobs.claim)()
    assert '"state": "running"' in await asyncio.wait_for(anext(stream), 5)
    await sync_to_async(finish)(claimed)
    assert '"kind": "finished"' in await asyncio.wait_for(anext(stream), 5)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 5)


async def test_a_silent_stream_is_kept_open_by_comments(listener, running, monkeypatch):
    monkeypatch.setattr(events, "KEEP_ALIVE_SECONDS", 0.2)
    stream = chunks(await listener.get(at(running)))
    assert "event: state" in await anext(stream)
    started = time.monotonic()
    assert (await asyncio.wait_for(anext(stream), 5)).startswith(":")
    assert time.monotonic() - started >= 0.2


async def test_the_stream_of_a_voice_that_is_deleted_ends(listener, running):
    stream = chunks(await listener.get(at(running)))
    await anext(stream)
    await sync_to_async(delete_voice)(voice=running.voice)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 5)


async def test_a_long_history_is_told_whole(listener, running, monkeypatch):
    monkeypatch.setattr(events, "AT_ONCE", 3)
    await sync_to_async(tell)(running, *[("step", step(number)) for number in range(10)])
    await sync_to_async(finish)(running)
    assert len(await read(await listener.get(at(running)))) == 11


async def test_other_peoples_trainings_are_not_found(async_client, running, make_author):
    await async_client.aforce_login(await sync_to_async(make_author)())
    assert (await async_client.get(at(running))).status_code == 404


async def test_strangers_hear_nothing(async_client, running):
    assert (await async_client.get(at(running))).status_code == 302
