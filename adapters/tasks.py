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
from adapters.services.running import run_next
from adapters.services.stopping import STOPPING
from adapters.training.process import TrainingChild

# As many jobs as the trainer's process takes at once; a worker has as many threads, unless it was started otherwise.
_places = threading.BoundedSemaphore(settings.TRAINING_JOBS)


@shared_task
def run_training(job_id: int) -> None:
    # A bell: whoever hears it takes the job whose turn it is, and goes on until none waits.
    with _places:
        while run_next(child=child()):
            pass


@shared_task
def run_import(job_id: int) -> None:
    services.run_import(job_id=job_id)


@shared_task
def reread(voice_id: int) -> None:
    services.reread(voice_id=voice_id)


@shared_task
def measure_style(profile_id: int) -> None:
    services.measure_style(profile_id=profile_id)


@shared_task
def sweep_training() -> None:
    services.sweep_training()


@shared_task
def sweep_checkpoints() -> None:
    services.sweep_checkpoints()


@shared_task
def sweep_imports() -> None:
    services.sweep_imports()
    services.sweep_rereading()


@cache
def child() -> TrainingChild:
    """The worker's own, warm between jobs."""
    return TrainingChild(
        base_model=settings.BASE_MODEL,
        models=settings.MODELS,
        device=settings.DEVICE,
        dtype=settings.TRAIN_BASE,
        jobs=settings.TRAINING_JOBS,
        idle_seconds=settings.TRAINING_IDLE_SECONDS,
        silence_seconds=settings.TRAINING_SILENCE_SECONDS,
    )


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    # Called in the worker's main thread by SIGTERM; jobs run in threads, look at the flag, and give themselves back.
    STOPPING.set()
