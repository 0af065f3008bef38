"""Pytest plugin, loaded before Django's settings: real Postgres and Redis for every process of the run.
Knows how to start embedded ones. Knows nothing of what is tested on them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

from config import embedded  # noqa: E402  (the source root must be on the path first)

_stack = ExitStack()
# What the process that hands the tests out has set, and those that run them inherit.
_INHERITED = "IDIOLECT_TEST_INHERITED"


def _start() -> None:
    # What an operator keeps in .env is not for tests.
    os.environ.setdefault("IDIOLECT_ENV_FILE", "")
    # As on the site: workers, trainers and this process share the cores, and threads that spin would take them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # What a voice writes when it has learned takes a CPU longer than its few steps.
    os.environ.setdefault("IDIOLECT_TRAIN_TEXTS", "0")
    # Everything that a run writes lies in a folder of its own, except the base model: fetching it takes a minute.
    models = os.environ.setdefault("IDIOLECT_MODELS", str(ROOT / "var" / "models"))
    # Side by side, two runs would read each other's queues: each has its own servers (see PYTEST_ARGS in the Makefile).
    for name in os.environ.pop(_INHERITED, "").split():
        del os.environ[name]
    var = Path(tempfile.mkdtemp(prefix="idiolect-test-"))
    _stack.callback(shutil.rmtree, var, ignore_errors=True)
    started = _stack.enter_context(embedded.services(var))
    os.environ[_INHERITED] = " ".join(name for name in started if name not in os.environ)
    os.environ.update(started)
    os.environ.update(IDIOLECT_VAR=str(var), IDIOLECT_MODELS=models, EMAIL_URL="memorymail://")


def pytest_unconfigure() -> None:
    _stack.close()


_start()
