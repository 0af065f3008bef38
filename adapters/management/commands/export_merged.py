"""`manage.py export_merged`: a voice as a transformers model of its own.
Knows the command line. Knows nothing of merging (see `adapters.services.exporting`)."""

from pathlib import Path
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandError

from adapters.services.exporting import Dtype, ExportRefused, export_merged


class Command(BaseCommand):
    help = "Write a voice merged into its base model: an ordinary transformers model, for use without this site."

    def add_arguments(self, parser: Any) -> None:
        names = "author/voice for its live version, author/voice@3 for the third"
        parser.add_argument("voice", metavar="VOICE", help=names)
        parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to; empty or not there yet")
        parser.add_argument("--dtype", choices=get_args(Dtype), default="float32", help="of the weights on disk")

    def handle(self, *args: Any, voice: str, folder: Path, dtype: Dtype, **options: Any) -> None:
        try:
            version = export_merged(name=voice, folder=folder, dtype=dtype)
        except (ExportRefused, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{version.voice.api_name}@{version.number} is in {folder}")
