"""Download: every text of a voice to take away, in the form that other programs read.
Knows Markdown with front matter, and zips. Knows nothing of requests."""

from __future__ import annotations

import tempfile
import zipfile
from typing import IO

import yaml
from django.utils.text import slugify

from adapters.models import Sample, Voice


def as_markdown(*, voice: Voice) -> IO[bytes]:
    """A zip with every text as the model reads it, in Markdown with front matter; what is left out lies in a folder of
    its own."""
    made = tempfile.TemporaryFile()  # noqa: SIM115  (who sends it closes it)
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        used: set[str] = set()
        for sample in Sample.objects.filter(voice=voice).defer("original", "full", "cuts").iterator(chunk_size=200):
            folder = "" if sample.included else "left out/"
            name = f"{folder}{sample.date or 'undated'}-{slugify(sample.title)[:60] or 'untitled'}"
            while name in used:
                name += "-again"
            used.add(name)
            archive.writestr(f"{name}.md", _with_front_matter(sample))
    made.seek(0)
    return made


def _with_front_matter(sample: Sample) -> str:
    fields = {"title": sample.title, "date": sample.date, "author": sample.author, "source": sample.source}
    head = yaml.safe_dump({key: value for key, value in fields.items() if value}, allow_unicode=True, sort_keys=False)
    return f"---\n{head}---\n\n{sample.text}\n"
