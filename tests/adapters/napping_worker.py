"""The training worker's Celery application with a trainer whose steps are naps, for tests of everything around it."""

from __future__ import annotations

from adapters.training.process import TrainingChild
from config.celery import app

__all__ = ["app"]
TrainingChild.__init__.__kwdefaults__["module"] = "tests.adapters.training.napping"  # type: ignore[index]
