"""What is done with voices, writing, training and versions: the one door for pages, API, tasks and commands.
Knows which function lies where. Knows nothing itself."""

from adapters.errors import UserError
from adapters.services.briefs import default_briefs
from adapters.services.checkpoints import sweep_checkpoints
from adapters.services.estimates import Standing, standing
from adapters.services.imports import run_import, start_import, sweep_imports
from adapters.services.meter import Meter, measure
from adapters.services.queue import queue_position
from adapters.services.sweeping import sweep_training
from adapters.services.training import (
    cancel_training,
    continue_training,
    expected_recipe,
    requeue_training,
    set_recipe,
    submit_training,
)
from adapters.services.versions import Resolved, make_live, resolve
from adapters.services.voices import create_voice, delete_voice, rename_voice
from adapters.services.writing import add_text, delete_sample, set_included

__all__ = [
    "Meter",
    "Resolved",
    "Standing",
    "UserError",
    "add_text",
    "cancel_training",
    "continue_training",
    "create_voice",
    "default_briefs",
    "delete_sample",
    "delete_voice",
    "expected_recipe",
    "make_live",
    "measure",
    "queue_position",
    "rename_voice",
    "requeue_training",
    "resolve",
    "run_import",
    "set_included",
    "set_recipe",
    "standing",
    "start_import",
    "submit_training",
    "sweep_checkpoints",
    "sweep_imports",
    "sweep_training",
]
