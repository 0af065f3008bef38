"""The queue of trainings: in which order they will be taken, and where in it a job stands.
Knows the turns that `TrainingJob.objects.in_turn()` gives one at a time. Knows nothing of how long they take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from adapters.models import TrainingJob


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A queued job, as far as its turn depends on it."""

    job: int
    owner: int
    interrupted: bool
    """Taken up again before all others."""
    served: datetime | None
    """When its owner was served last."""


def queue_position(*, job: TrainingJob) -> int:
    """How many jobs come first: those that are running, and those whose turn is before. 0 once it runs itself."""
    if job.state != TrainingJob.State.QUEUED:
        return 0
    before = waiting()
    running = TrainingJob.objects.filter(state=TrainingJob.State.RUNNING).count()
    # It may have been taken since `job` was read.
    return running + before.index(job.pk) if job.pk in before else 0


def waiting() -> list[int]:
    """The queued jobs, in the order in which they will be taken if no other comes."""
    queued: QuerySet[Any] = TrainingJob.objects.all().in_turn()  # `served` is no field that mypy knows
    fields = queued.values_list("pk", "voice__owner", "interrupted", "served")
    return in_order(
        Waiting(job=job, owner=owner, interrupted=interrupted, served=served)
        for job, owner, interrupted, served in fields
    )


def in_order(jobs: Iterable[Waiting]) -> list[int]:
    """Takes the next one, again and again; whoever has had a turn goes to the end of the line."""
    left = sorted(jobs, key=lambda each: each.job)
    turns: dict[int, int] = {}
    order: list[int] = []

    def turn(each: Waiting) -> tuple[bool, int, bool, float, int]:
        served = each.served.timestamp() if each.served else 0.0
        return not each.interrupted, turns.get(each.owner, -1), each.served is not None, served, each.job

    while left:
        following = min(left, key=turn)
        left.remove(following)
        turns[following.owner] = len(order)
        order.append(following.job)
    return order
