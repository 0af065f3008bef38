"""The demo authors' posts, as real text for benchmarks.
Knows where they lie and how the site reads them. Knows nothing of what they are used for."""

from __future__ import annotations

from adapters.importers import File, read
from adapters.importers.item import Item
from bench.machine import ROOT


def newest(each: int) -> list[Item]:
    """So many of every author's newest posts."""
    posts = []
    for author in sorted((ROOT / "demo").iterdir()):
        files = sorted(author.glob("*.md"))[-each:]
        posts += [item for path in files for item in read(File.at(path, path.name))]
    return posts
