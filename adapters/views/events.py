"""The stream of a training job's events: replayed from any number on, then as they come.
Knows server-sent events. Knows nothing of what the events mean."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.http.response import HttpResponseBase

from adapters import services, story
from adapters.models import TrainingEvent, TrainingJob
from inference import sse
from inference.database import in_database

POLL_SECONDS: Final = 0.7
# Others come and go; nobody needs to know to the second.
STANDING_SECONDS: Final = 4.0
KEEP_ALIVE_SECONDS: Final = 15.0
AT_ONCE: Final = 500

Row = dict[str, Any]


@login_required
async def job_events(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Every event from `?from=` on, or after the Last-Event-ID of a browser that connects again."""
    user = await request.auser()
    job = await TrainingJob.objects.all().visible_to(user).filter(voice__slug=slug, pk=pk).afirst()
    if job is None:
        # Not the page for what is not found: Django renders that in a thread whose connection nobody gives back.
        return HttpResponseNotFound("There is no such training.", content_type="text/plain")
    seen, wanted = request.headers.get("Last-Event-ID", ""), request.GET.get("from", "")
    for name, value in (("Last-Event-ID", seen), ("from", wanted)):
        if value and not value.isdecimal():
            return HttpResponseBadRequest(f"{name} must be the number of an event", content_type="text/plain")
    after = int(seen) if seen else max(0, int(wanted or 0) - 1)
    if job.state == TrainingJob.State.FINISHED and not await in_database(_read, job.pk, after):
        return HttpResponse(status=204)  # which tells a browser not to connect again
    return sse.response(_stream(job.pk, after))


async def _stream(job_id: int, after: int) -> AsyncGenerator[bytes]:
    told: Row | None = None
    stands: Row | None = None
    spoken = looked = time.monotonic()
    while True:
        # Before the events: a job that is over by now has none that are read too early.
        state = await in_database(_state, job_id)
        rows = await in_database(_read, job_id, after)
        for row in rows:
            yield f"id: {row['seq']}\n".encode() + sse.event(row)
            after = row["seq"]
            if row["kind"] == "finished":
                return
        if len(rows) == AT_ONCE:
            continue
        if state is None or state == TrainingJob.State.FINISHED:
            return
        if told is None or told["state"] != state or time.monotonic() - looked > STANDING_SECONDS:
            looked = time.monotonic()
            stands = await in_database(_standing, job_id)
        if stands is not None and (told is None or _noticeable(stands) != _noticeable(told)):
            # Not an event of the job's own: others leave the queue too.
            yield sse.event(stands, "state")
            told = stands
        elif not rows and time.monotonic() - spoken > KEEP_ALIVE_SECONDS:
            yield sse.KEEP_ALIVE
        else:
            await asyncio.sleep(POLL_SECONDS)
            continue
        spoken = time.monotonic()


def _state(job_id: int) -> str | None:
    return TrainingJob.objects.filter(pk=job_id).values_list("state", flat=True).first()


def _standing(job_id: int) -> Row | None:
    job = TrainingJob.objects.filter(pk=job_id).first()
    return services.standing(job=job).as_dict() if job else None


def _noticeable(stands: Row) -> tuple[Any, ...]:
    # Estimates differ by a second each time; the words do when it matters.
    return stands["state"], stands["before"], stands["words"]


def _read(job_id: int, after: int) -> list[Row]:
    events = TrainingEvent.objects.filter(job=job_id, seq__gt=after).order_by("seq")[:AT_ONCE]
    return [{"seq": event.seq, "kind": event.kind, **event.data, **_words(event)} for event in events]


def _words(event: TrainingEvent) -> Row:
    """What a page shows for it: figures become words in one place."""
    if event.kind == "step":
        return {"words": story.in_words(event.data)}
    if event.kind == "evaluation":
        earlier = TrainingEvent.objects.filter(job=event.job_id, kind="baseline", seq__lt=event.seq)
        base = earlier.order_by("seq").values_list("data__bits_per_byte", flat=True).last()
        return {"words": story.measured(event.data, base).words}
    return {}
