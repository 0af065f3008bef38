"""Other writers: the demo authors' posts, for judges to choose from where nobody else is at hand.
Knows where they lie and how the site reads them. Knows nothing of judges."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.importers import File, read

DEMO: Final = Path(__file__).resolve().parents[2] / "demo"


def demo_writers(folder: Path = DEMO) -> dict[str, list[str]]:
    """Name of each demo author -> texts; empty where the demo is not installed."""
    if not folder.is_dir():
        return {}
    return {
        author.name: [
            item.read
            for path in sorted(author.glob("*.md"))
            for item in read(File.at(path, path.name))
            if not item.reason
        ]
        for author in sorted(folder.iterdir())
        if author.is_dir()
    }
