"""Celery tasks: each takes an id and calls a service. Knows the trainer's process of this worker and when to stop.
Knows nothing of what the services do."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings

from adapters import services
from adapters.services.running import run_training as run
from adapters.services.stopping import STOPPING
from adapters.training.process import TrainingChild

# One trainer's process per worker: a second job at the same time would not fit beside the first.
_training = threading.Lock()


@shared_task
def run_training(job_id: int) -> None:
    with _training:
        run(job_id=job_id, child=child())


@shared_task
def run_import(job_id: int) -> None:
    services.run_import(job_id=job_id)


@shared_task
def sweep_training() -> None:
    services.sweep_training()


@shared_task
def sweep_imports() -> None:
    services.sweep_imports()


@cache
def child() -> TrainingChild:
    """The worker's own, warm between jobs."""
    return TrainingChild(
        base_model=settings.BASE_MODEL,
        models=settings.MODELS,
        device=settings.DEVICE,
        dtype="float32" if settings.DTYPE == "int8" else settings.DTYPE,  # training needs whole weights
        idle_seconds=settings.TRAINING_IDLE_SECONDS,
    )


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    # Called in the worker's main thread by SIGTERM; jobs run in threads, look at the flag, and give themselves back.
    STOPPING.set()
