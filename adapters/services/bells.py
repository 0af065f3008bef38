"""Bells: messages that tell a worker to look at a row. Knows the tasks' names and the broker.
Knows nothing of what the tasks do; a bell that is lost or rung twice does no harm."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

from django.db import transaction
from kombu.exceptions import OperationalError

from config.celery import app

log = logging.getLogger(__name__)

TRAINING: Final = "adapters.tasks.run_training"
IMPORT: Final = "adapters.tasks.run_import"
REREAD: Final = "adapters.tasks.reread"
STYLE: Final = "adapters.tasks.measure_style"
UNLOAD: Final = "inference.tasks.unload_adapter"


def ring(task: str, about: int | str, *, delay: float = 0) -> None:
    """Once the transaction is committed, and after `delay` seconds. With the broker down the sweeper rings later for
    every job; an adapter that nobody unloads is forgotten when its memory is needed."""
    transaction.on_commit(partial(_ring, task, about, delay))


def _ring(task: str, about: int | str, delay: float) -> None:
    try:
        app.send_task(task, args=[about], countdown=delay or None, retry=False)
    except OperationalError:
        log.exception("no broker for %s(%s)", task, about)
