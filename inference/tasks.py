"""Celery tasks of drafting. Knows ids. Knows nothing else: the work is in services."""

from celery import shared_task

from inference import services


@shared_task
def sweep_generations() -> None:
    services.sweep_generations()
