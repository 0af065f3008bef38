"""Celery tasks of drafting. Knows ids and when to try again. Knows nothing else: the work is in services."""

from celery import shared_task

from inference import services
from inference.wire import Busy, Unavailable


@shared_task
def sweep_generations() -> None:
    services.sweep_generations()


# For about an hour: an engine that is away for longer comes back without any adapter.
@shared_task(
    autoretry_for=(Busy, Unavailable), retry_backoff=5, retry_backoff_max=600, retry_jitter=False, max_retries=12
)
def unload_adapter(digest: str) -> None:
    services.unload_adapter(digest=digest)
