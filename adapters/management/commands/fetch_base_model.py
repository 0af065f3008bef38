"""`manage.py fetch_base_model`: makes the base model of the settings available on this machine.
Knows the settings. Knows nothing of downloads and conversion (see `adapters.base_model`)."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from adapters import base_model


class Command(BaseCommand):
    help = "Download the base model (IDIOLECT_BASE_MODEL), once. Does nothing when it is there."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            model = base_model.fetch(settings.BASE_MODEL, settings.MODELS, log=self.stdout.write)
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The base model {model.name} is in {model.folder}")
