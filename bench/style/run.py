"""A run of the style benchmark on disk: what was trained, written and measured so far, saved after every part.
Knows its JSON. Knows nothing of how any of it is made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import machine


class Run:
    """One file. Opened again with the same settings, it goes on where it ended."""

    def __init__(self, file: Path, settings: Mapping[str, Any]) -> None:
        self.file = file
        self.data: dict[str, Any] = {
            **machine.describe(),
            "settings": dict(settings),
            "seconds": {},
            "voices": {},
            "costs": {},
            "texts": {},
        }
        if file.exists():
            found = json.loads(file.read_text())
            if found["settings"] != json.loads(json.dumps(self.data["settings"])):
                raise SystemExit(f"{file} is of a run with other settings: choose another --out, or delete it")
            self.data = found

    @property
    def voices(self) -> dict[str, dict[str, Any]]:
        """Name -> what there is to tell of its training."""
        found: dict[str, dict[str, Any]] = self.data["voices"]
        return found

    @property
    def costs(self) -> dict[str, dict[str, Any]]:
        """Key -> what held-out posts cost a voice: `voice`, `author`, `examples`, and `posts` as [id, bits, bytes]."""
        found: dict[str, dict[str, Any]] = self.data["costs"]
        return found

    @property
    def texts(self) -> dict[str, dict[str, Any]]:
        """Key -> a text and what it was written for."""
        found: dict[str, dict[str, Any]] = self.data["texts"]
        return found

    def took(self, part: str, seconds: float) -> None:
        """Add up how long a part took."""
        self.data["seconds"][part] = round(self.data["seconds"].get(part, 0) + seconds, 1)

    def save(self) -> None:
        """All of it, or what was there before."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.file.with_suffix(".tmp")
        scratch.write_text(json.dumps(self.data, ensure_ascii=False, indent=1) + "\n")
        os.replace(scratch, self.file)
