"""A text on its way from the engine to its readers and into its row."""

from __future__ import annotations

import asyncio
import json

import pytest

from inference import services, writing
from inference.database import in_database
from inference.gateway import CHAT
from inference.models import Generation
from inference.writing import Ended, Written
from tests.inference.scripted_engine import free_address, until

pytestmark = pytest.mark.django_db(transaction=True)
Outcome = Generation.Outcome


@pytest.fixture
def text(voice, site_engine) -> Generation:
    return services.start_draft(voice=voice, owner=voice.owner, brief="The first frost").generations.get()


async def everything(text: Generation, seen: list[Written | Ended] | None = None) -> list[Written | Ended]:
    seen = [] if seen is None else seen
    async for event in writing.read(text):
        if event:
            seen.append(event)
    return seen


def joined(events: list[Written | Ended]) -> str:
    shown = ""
    for event in events:
        if isinstance(event, Written):
            shown = shown[: event.at] + event.text
    return shown


async def stored(text: Generation) -> Generation:
    return await in_database(Generation.objects.get, pk=text.pk)


async def test_the_first_reader_gets_the_text_word_by_word_and_it_is_kept(text):
    events = await everything(text)
    row = await stored(text)

    assert [event.text for event in events[:2]] == ["Rain", " fell"]
    assert events[-1] == Ended(outcome="complete", message="")
    assert row.text == joined(events) == "Rain fell on the tin roof."
    assert (row.outcome, row.tokens) == (Outcome.COMPLETE, 6)
    assert row.first_token_seconds > 0


async def test_a_later_reader_gets_what_is_stored(text, site_engine):
    await everything(text)

    assert joined(await everything(text)) == "Rain fell on the tin roof."
    assert len(site_engine.bodies(CHAT)) == 1


async def test_a_second_reader_follows_while_the_first_one_writes(text, site_engine, monkeypatch):
    monkeypatch.setattr(writing, "SAVE_SECONDS", 0.05)
    monkeypatch.setattr(writing, "FOLLOW_SECONDS", 0.05)
    site_engine.pause = 0.1
    seen: list[Written | Ended] = []
    first = asyncio.create_task(everything(text, seen))
    await until(lambda: seen)
    followed = await everything(text)

    assert joined(followed) == joined(await first) == "Rain fell on the tin roof."
    assert len(followed) > 2
    assert len(site_engine.bodies(CHAT)) == 1


async def test_a_text_that_is_long_enough_ends_with_its_sentence(text, site_engine):
    text.parameters["words"] = 4
    site_engine.text = "Rain fell. It fell all night. Then it stopped."
    events = await everything(text)

    assert joined(events) == "Rain fell. It fell all night."
    assert (await stored(text)).outcome == Outcome.COMPLETE


async def test_stop_ends_the_writing_within_a_second_and_keeps_every_word(text, site_engine):
    site_engine.text = "word " * 500
    site_engine.pause = 0.05
    events = []
    async for event in writing.read(text):
        if event:
            events.append(event)
        if len(events) == 5:
            await in_database(services.stop_generation, generation=text)
            stopped_at = asyncio.get_running_loop().time()
    row = await stored(text)

    assert asyncio.get_running_loop().time() - stopped_at < 1
    assert await asyncio.to_thread(site_engine.gone.wait, 2)
    assert (row.outcome, row.text) == (Outcome.STOPPED, joined(events))
    assert row.tokens >= 5


async def test_stop_is_noticed_while_the_engine_is_silent(text, site_engine):
    site_engine.pause = 60
    reading = asyncio.create_task(everything(text))
    await until(lambda: site_engine.bodies(CHAT))
    await in_database(services.stop_generation, generation=text)

    assert await asyncio.wait_for(reading, 2) == [Ended(outcome="stopped", message="")]
    assert await asyncio.to_thread(site_engine.gone.wait, 2)


async def test_a_reader_who_goes_away_cancels_the_text_and_what_was_written_is_kept(text, site_engine):
    site_engine.text = "word " * 500
    site_engine.pause = 0.05
    seen: list[Written | Ended] = []
    reading = asyncio.create_task(everything(text, seen))
    await until(lambda: len(seen) >= 3)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    row = await stored(text)

    assert await asyncio.to_thread(site_engine.gone.wait, 2)
    assert (row.state, row.outcome) == (Generation.State.FINISHED, Outcome.STOPPED)
    assert row.text == joined(seen)


async def test_deleting_the_draft_stops_the_writing(text, site_engine):
    site_engine.pause = 60
    reading = asyncio.create_task(everything(text))
    await until(lambda: site_engine.bodies(CHAT))
    await in_database(lambda: services.delete_draft(draft=text.draft))
    await asyncio.wait_for(reading, 2)

    assert await asyncio.to_thread(site_engine.gone.wait, 2)


async def test_an_engine_that_is_not_running_is_a_failure_in_plain_words(text, settings):
    settings.INFERENCE_URL = free_address()
    events = await everything(text)
    row = await stored(text)

    assert events == [Ended(outcome="failed", message="The writing engine is not running.")]
    assert (row.outcome, row.message) == (Outcome.FAILED, "The writing engine is not running.")


async def test_the_engine_hears_whose_text_it_is_by_a_number(text, site_engine, author):
    await everything(text)

    assert site_engine.owners == [str(author.pk)]


async def test_a_full_queue_says_to_try_again(text, site_engine):
    site_engine.plan(CHAT, 429, {"error": {"message": "full"}}, {"Retry-After": "5"})
    [ended] = await everything(text)

    assert "no room for another text just now. Try again in a few seconds." in ended.message


REFUSED = {"message": f"adapter {'1' * 64} is refused: r must be 1", "param": "model", "code": "adapter_refused"}


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (400, REFUSED, writing.VOICE_REFUSED),
        (200, REFUSED, writing.VOICE_REFUSED),
        (404, {"message": "The model does not exist", "code": "model_not_found"}, writing.VOICE_GONE),
    ],
    ids=["at once", "on the way", "gone"],
)
async def test_a_voice_that_cannot_be_used_is_told_plainly_and_staff_see_why(
    voice, make_version, site_engine, status, error, told
):
    version = await in_database(make_version, 1)
    draft = await in_database(services.start_draft, voice=voice, owner=voice.owner, brief="The first frost")
    for _ in range(2):  # where vLLM loads nothing on demand, the gateway asks again
        site_engine.plan(
            CHAT, status, f"data: {json.dumps({'error': error})}\n\n" if status == 200 else {"error": error}
        )
    [ended] = await everything(await in_database(draft.generations.get))
    row = await in_database(Generation.objects.get)

    assert ended.message == row.message == told
    assert told.startswith("This voice cannot be used: ")
    assert "rain it again" in told
    assert version.digest not in told
    assert row.reason


async def test_another_base_model_than_the_sites_is_the_operators_trouble(text, site_engine):
    site_engine.plan(CHAT, 404, {"error": {"message": "The model does not exist", "code": "model_not_found"}})
    [ended] = await everything(text)

    assert ended.message == writing.NO_BASE_MODEL


async def test_an_engine_that_dies_in_the_middle_leaves_what_was_written(text, site_engine):
    site_engine.dies_after = 2
    await everything(text)
    row = await stored(text)

    assert (row.outcome, row.text) == (Outcome.FAILED, "Rain fell")
    assert "went away" in row.message


async def test_what_the_database_cannot_keep_is_left_out(text, site_engine):
    site_engine.text = "Rain\x00 fell"
    await everything(text)

    assert (await stored(text)).text == "Rain fell"
