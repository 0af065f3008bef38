"""How long trainings wait and take, as a span: from what earlier ones took and from how the running ones get on.
Knows seconds and tokens. Knows nothing of why a machine is fast or slow."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Final

from django.conf import settings
from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from adapters import base_model
from adapters.models import Sample, TrainingEvent, TrainingJob
from adapters.services import queue
from adapters.story import Span, place_in_words

# So many earlier trainings are looked at: enough to be steady, few enough to follow a machine that is replaced.
EARLIER: Final = 20
# However alike the measurements are, the next one differs by as much.
LEAST_MARGIN: Final = 0.1
# With one or two measurements nobody knows how much they differ.
FEW_MARGIN: Final = 0.4


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a job stands between its submission and its end. Pages, streams and programs see the same."""

    state: str
    """As in TrainingJob."""
    before: int
    """Jobs that come first; 0 once it runs."""
    wait: Span | None
    """Seconds until it begins; None when it has begun, or when nothing was measured yet."""
    left: Span | None
    """Seconds until it is done; None when nothing was measured yet."""

    @property
    def words(self) -> str:
        """Its place in the queue, for its author; nothing once it has begun."""
        return place_in_words(self.before, self.wait) if self.state == TrainingJob.State.QUEUED else ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        spans = {"wait": self.wait, "left": self.left}
        return {
            "state": self.state,
            "before": self.before,
            **{name: span and {"low": round(span.low), "high": round(span.high)} for name, span in spans.items()},
            "words": self.words,
        }


def standing(*, job: TrainingJob) -> Standing:
    """Where `job` stands now."""
    wait = left = None
    before = queue.queue_position(job=job)
    if job.is_active:
        rate = seconds_a_token()
        if job.state == TrainingJob.State.QUEUED:
            wait = _wait(job, rate)
            needed = _needed([job.pk], rate).get(job.pk)
            left = wait + needed if wait and needed else None
        else:
            left = _remaining([job], rate)[0]
    return Standing(state=job.state, before=before, wait=wait, left=left)


def seconds_a_token() -> Span | None:
    """What earlier trainings on this base model took for each token that they were to read; None before the first."""
    try:
        base = base_model.find(settings.BASE_MODEL, settings.MODELS).digest
    except LookupError:
        return None
    # Only those that a worker took once: the others waited in between.
    ended = TrainingJob.objects.filter(attempt=1, inputs__base=base).exclude(started_at=None)
    done = ended.filter(outcome__in=[TrainingJob.Outcome.PUBLISHED, TrainingJob.Outcome.NOT_BETTER])
    jobs = {job.pk: job for job in done.order_by("-finished_at")[:EARLIER]}
    prepared = TrainingEvent.objects.filter(job__in=jobs, kind="prepared").values_list("job", "data")
    return spread([_seconds(jobs[job]) / max(1.0, _reading(jobs[job].recipe, data)) for job, data in prepared])


def spread(measured: Sequence[float]) -> Span | None:
    """Between which values the next measurement will probably lie; None without any."""
    if not measured:
        return None
    if len(measured) < 3:
        return Span(low=median(measured), high=median(measured)).widened(FEW_MARGIN)
    fifths = quantiles(measured, n=5, method="inclusive")
    return Span(low=fifths[0], high=fifths[-1]).widened(LEAST_MARGIN)


class Remaining:
    """What a job still takes, from its steps as they come: by the pace of its last steps, which the trainer tells, and
    by its pace over all steps so far. They differ when the machine is shared with more or fewer others than before."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._first = 0

    def after(self, step: Mapping[str, Any], now: float | None = None) -> Span:
        """Seconds from a `step` event to the end."""
        now = time.monotonic() if now is None else now
        recent = float(step["eta_seconds"])
        if self._began is None:
            self._began, self._first = now, step["step"]
        made = step["step"] - self._first
        after_steps = step.get("comparing_seconds", 0.0)
        overall = (now - self._began) / made * (step["steps"] - step["step"]) + after_steps if made else recent
        margin = max(LEAST_MARGIN, FEW_MARGIN / math.sqrt(made + 1))
        return Span(low=min(recent, overall), high=max(recent, overall)).widened(margin)


def _wait(job: TrainingJob, rate: Span | None) -> Span | None:
    running = list(TrainingJob.objects.filter(state=TrainingJob.State.RUNNING))
    order = queue.waiting()
    first = order[: order.index(job.pk)] if job.pk in order else []
    ends = _remaining(running, rate)
    needed = list(_needed(first, rate).values())
    if not all(ends) or not all(needed):
        return None
    # Whoever waits does so because every place is taken: there are as many as jobs in training.
    low = _begins([span.low for span in ends if span], [span.low for span in needed if span])
    high = _begins([span.high for span in ends if span], [span.high for span in needed if span])
    return Span(low=low, high=high)


def _begins(ends: list[float], needed: list[float]) -> float:
    """When a place is free for the next one, after those in front have taken the first ones."""
    free = ends or [0.0] * settings.TRAINING_JOBS
    heapq.heapify(free)
    for seconds in needed:
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return free[0]


def _remaining(running: Sequence[TrainingJob], rate: Span | None) -> list[Span | None]:
    """What each of them still takes: from its latest step, and before the first one from what earlier jobs took."""
    # Steps from before it was last begun are of a training that was cancelled, or whose worker died.
    begun: QuerySet[TrainingEvent] = TrainingEvent.objects.filter(created_at__gte=F("job__started_at"))
    latest = begun.filter(job__in=running, kind="step")
    steps = {event.job_id: event for event in latest.order_by("job_id", "-seq").distinct("job_id")}
    needed = _needed([job.pk for job in running if job.pk not in steps], rate)
    now = timezone.now()
    left: list[Span | None] = []
    for job in running:
        if job.pk in steps:
            event = steps[job.pk]
            left.append(Span.of_step(event.data).less((now - event.created_at).total_seconds()))
        else:
            whole = needed.get(job.pk)
            left.append(whole and whole.less((now - (job.started_at or now)).total_seconds()))
    return left


def _needed(jobs: Sequence[int], rate: Span | None) -> dict[int, Span | None]:
    """What each takes from its first step, or from where it goes on, to its last; in the order of `jobs`."""
    if rate is None:
        return dict.fromkeys(jobs)
    rows = {job.pk: job for job in TrainingJob.objects.filter(pk__in=jobs)}
    included = Sample.objects.filter(voice__jobs__in=jobs, included=True).order_by().values("voice__jobs")
    tokens = dict(included.annotate(tokens=Sum("tokens")).values_list("voice__jobs", "tokens"))
    read = _read([job for job in rows.values() if job.checkpoint_step])
    reading = {
        pk: tokens.get(pk, 0) * float(rows[pk].recipe.get("epochs", 1)) * (1 - read.get(pk, 0.0))
        for pk in jobs
        if pk in rows
    }
    return {pk: Span(low=rate.low * left, high=rate.high * left) for pk, left in reading.items()}


def _read(interrupted: Sequence[TrainingJob]) -> dict[int, float]:
    """The share of its steps that each has made and saved."""
    prepared = TrainingEvent.objects.filter(job__in=interrupted, kind="prepared").order_by("job_id", "-seq")
    steps = {event.job_id: max(1, event.data["steps"]) for event in prepared.distinct("job_id")}
    return {job.pk: min(1.0, (job.checkpoint_step or 0) / steps[job.pk]) for job in interrupted if job.pk in steps}


def _seconds(job: TrainingJob) -> float:
    assert job.started_at
    assert job.finished_at
    return (job.finished_at - job.started_at).total_seconds()


def _reading(recipe: Mapping[str, Any], prepared: Mapping[str, Any]) -> float:
    return float((prepared["train_tokens"] + prepared["held_out_tokens"]) * recipe["epochs"])
