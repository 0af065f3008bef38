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


def ring(task: str, pk: int, *, delay: float = 0) -> None:
    """Once the transaction is committed, and after `delay` seconds. With the broker down the sweeper rings later."""
    transaction.on_commit(partial(_ring, task, pk, delay))


def _ring(task: str, pk: int, delay: float) -> None:
    try:
        app.send_task(task, args=[pk], countdown=delay or None, retry=False)
    except OperationalError:
        log.exception("no broker for %s(%s): the sweeper will ring again", task, pk)
