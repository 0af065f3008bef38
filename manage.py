#!/usr/bin/env python
"""The site's command line. Knows where the source roots are. Knows nothing else."""

import os
import sys
from pathlib import Path

# `platform/` is a source root, never a package: the standard library's `platform` must stay importable.
sys.path.insert(1, str(Path(__file__).resolve().parent / "platform"))

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
