"""Imports by their size: `python -m bench.imports`, a blog's export and a folder of thousands of files.
Knows how to make both and what to measure. Knows nothing of formats; results go to bench/results/import.json."""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from bench import machine

WORDS: Final = ("the", "ferry", "was", "late", "and", "tide", "chain", "island", "mother", "bread", "window", "year")
_HEAD: Final = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
  xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/"><channel>
<title>Tides</title><wp:wxr_version>1.2</wp:wxr_version><wp:author><wp:author_login>maren</wp:author_login>
<wp:author_display_name>Maren</wp:author_display_name></wp:author>
"""
_POST: Final = """<item><title>Post {number}</title><link>https://tides.example/{number}</link>
<dc:creator>maren</dc:creator><guid isPermaLink="false">https://tides.example/?p={number}</guid>
<content:encoded><![CDATA[{body}]]></content:encoded><wp:post_id>{number}</wp:post_id>
<wp:post_date>{day} 10:00:00</wp:post_date><wp:status>publish</wp:status><wp:post_type>post</wp:post_type>
{comments}</item>
"""
_COMMENT: Final = """<wp:comment><wp:comment_author>guest</wp:comment_author>
<wp:comment_content><![CDATA[{text}]]></wp:comment_content></wp:comment>
"""


def wordpress(folder: Path, posts: int, megabytes: int, chance: random.Random) -> Path:
    """An export of so many posts and so many bytes, most of them comments and markup as in real ones."""
    path = folder / "export.xml"
    a_post = megabytes * 1_000_000 // posts
    with path.open("w") as out:
        out.write(_HEAD)
        for number in range(posts):
            parts = (f"<!-- wp:paragraph --><p>{text}</p><!-- /wp:paragraph -->" for text in _paragraphs(chance, 700))
            body = "".join(parts)
            comment = _COMMENT.format(text=" ".join(_paragraphs(chance, 160)))
            comments = comment * max(1, (a_post - len(body) - len(_POST)) // len(comment))
            out.write(_POST.format(number=number, day=_day(number), body=body, comments=comments))
        out.write("</channel></rss>")
    return path


def folder_of_markdown(folder: Path, posts: int, chance: random.Random) -> Path:
    """A static blog's posts in one zip."""
    path = folder / "posts.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(posts):
            day = f"20{number % 20 + 5:02}-05-{number % 28 + 1:02}"
            body = "\n\n".join(_paragraphs(chance, 400))
            archive.writestr(
                f"_posts/{day}-post-{number}.md", f"---\ntitle: Post {number}\ndate: {day}\n---\n\n{body}\n"
            )
    return path


def _day(number: int) -> str:
    return f"20{number % 20 + 5:02}-05-{number % 28 + 1:02}"


def _paragraphs(chance: random.Random, words: int) -> list[str]:
    return [" ".join(chance.choices(WORDS, k=80)).capitalize() + "." for _ in range(words // 80)]


def main() -> None:
    """Import both through the site's services on servers of their own, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description=__doc__)
    parser.add_argument("--posts", type=int, default=2000, help="in the export")
    parser.add_argument("--megabytes", type=int, default=30, help="of the export")
    parser.add_argument("--files", type=int, default=10_000, help="in the folder")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.path.insert(0, str(machine.ROOT / "platform"))
    from config import embedded

    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ.setdefault("IDIOLECT_MODELS", str(machine.ROOT / "var" / "models"))
        os.environ.update(stack.enter_context(embedded.services(var)), IDIOLECT_VAR=str(var), IDIOLECT_ENV_FILE="")
        chance = random.Random(arguments.seed)
        made = {
            "wordpress": wordpress(var, arguments.posts, arguments.megabytes, chance),
            "folder": folder_of_markdown(var, arguments.files, chance),
        }
        _site()
        rows = [_measured(name, path) for name, path in made.items()]
    print(machine.write_newest("import", arguments.seed, rows))


def _site() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _measured(name: str, path: Path) -> dict[str, Any]:
    """A row, from a child whose peak of memory is its own: what the imports worker does, without waiting for it."""
    from django.db import connections

    connections.close_all()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(_import(path)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        row: dict[str, Any] = {"source": name, "bytes": path.stat().st_size, **json.loads(answers.read())}
    os.waitpid(child, 0)
    print(row, flush=True)
    return row


def _import(path: Path) -> dict[str, Any]:
    from django.core.files import File

    from accounts.models import User
    from adapters.models import ImportItem, Sample
    from adapters.services import create_voice, run_import, start_import

    owner = User.objects.create_user(email=f"{path.stem}@example.org", password=None)
    voice = create_voice(owner=owner, name=path.stem)
    with path.open("rb") as stream:
        job = start_import(voice=voice, uploads=[File(stream, name=path.name)])
    started = time.perf_counter()
    run_import(job_id=job.pk)
    seconds = time.perf_counter() - started
    return {
        "posts": Sample.objects.filter(voice=voice).count(),
        "items": ImportItem.objects.filter(job=job).count(),
        "seconds": round(seconds, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


if __name__ == "__main__":
    main()
