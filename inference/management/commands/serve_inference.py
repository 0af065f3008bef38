"""`manage.py serve_inference`: the inference worker with the settings of this site.
Knows the settings and the worker's command line. Knows nothing of what the worker does."""

import os
import sys
from argparse import REMAINDER
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Run the inference worker at IDIOLECT_INFERENCE_URL until it is told to stop."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("worker_arguments", nargs=REMAINDER, help="Passed on: -- --max-running 8")

    def handle(self, *args: Any, worker_arguments: list[str], **options: Any) -> None:
        where = urlsplit(settings.INFERENCE_URL)
        chosen = {
            "--memory-bytes": settings.INFERENCE_MEMORY,
            "--host-bytes": settings.INFERENCE_HOST_MEMORY,
            "--metrics-prefix": settings.METRICS_PREFIX,
        }
        command = [
            *(sys.executable, "-m", "inference.worker"),
            *("--base-model", settings.BASE_MODEL, "--models", str(settings.MODELS)),
            *("--store", str(settings.ADAPTER_STORE), "--device", settings.DEVICE, "--dtype", settings.DTYPE),
            *("--host", where.hostname or "127.0.0.1", "--port", str(where.port or 80)),
            *[part for option, value in chosen.items() if value for part in (option, value)],
            *[argument for argument in worker_arguments if argument != "--"],
        ]
        # In place of this process, not below it: Django's memory is given back, and signals reach the worker.
        os.chdir(settings.BASE_DIR)
        os.execve(sys.executable, command, os.environ | {"IDIOLECT_INFERENCE_SECRET": settings.INFERENCE_SECRET})
