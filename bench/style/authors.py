"""Authors of the style benchmark: their posts, parted by post into A (voice), B (judge) and C (held out).
Knows the importers and how parts are drawn. Knows nothing of models or judges."""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from adapters.style.meter import words
from adapters.training.dataset import Post
from adapters.training.paragraphs import SEPARATOR, plain

SHARES = {"C": 0.15, "B": 0.25}
"""Of an author's words; A is what remains."""
POSTS_AT_LEAST = 3
SHORTEST_POST = 200
"""Words. A shorter post says too little in any part."""

Part = Literal["A", "B", "C"]


@dataclass(frozen=True, kw_only=True)
class Author:
    """Somebody's posts, parted."""

    slug: str
    """Short name."""
    posts: tuple[Post, ...]
    """All of them; ids are unique over all authors."""
    parts: dict[int, Part]
    """Id of a post -> its part."""

    def part(self, name: Part) -> list[Post]:
        """The posts of one part, in their order."""
        return [post for post in self.posts if self.parts[post.id] == name]


def read_folder(folder: Path, seed: int) -> list[Author]:
    """Every zip of `folder` is an author, every file in it a post, as the site would import it."""
    from adapters.importers import File, read  # which needs more packages than a GPU machine may have

    authors, first = [], 1
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            files = [
                File.of(Path(name).name, archive.read(name))
                for name in sorted(archive.namelist())
                if not name.endswith("/")
            ]
        items = [item for file in files for item in read(file) if not item.reason and words(item.read) >= SHORTEST_POST]
        posts = [
            Post(id=first + place, title=item.title, text=plain(item.read), date=item.date)
            for place, item in enumerate(items)
        ]
        first += len(posts)
        authors.append(parted(path.stem, posts, seed))
    return authors


def parted(slug: str, posts: Sequence[Post], seed: int) -> Author:
    """Draw C, then B, each until it has its share of the words and at least three posts; A is the rest."""
    order = list(posts)
    random.Random(f"{seed} {slug}").shuffle(order)
    total = sum(words(post.text) for post in posts)
    parts: dict[int, Part] = {}
    for part in ("C", "B"):
        had = taken = 0
        while had < POSTS_AT_LEAST or taken < SHARES[part] * total:
            post = order.pop()
            parts[post.id] = part
            had, taken = had + 1, taken + words(post.text)
    parts.update(dict.fromkeys((post.id for post in order), "A"))
    if len(order) < POSTS_AT_LEAST:
        raise ValueError(f"authors: {slug} has {len(posts)} posts, too few for three parts")
    return Author(slug=slug, posts=tuple(posts), parts=parts)


def excerpts(posts: Sequence[Post], total: int, at_least: int) -> list[Post]:
    """Beginnings of some posts with about `total` words together: a small author made of a large one.

    As many posts as give each some 500 words, but not fewer than `at_least`: a small author has short posts, too.
    """
    count = min(len(posts), max(at_least, total // 500))
    found, left = [], total
    for place, post in enumerate(posts[:count]):
        room = left // (count - place)
        text = "".join(_paragraphs(post.text, room))
        found.append(replace(post, text=text))
        left -= words(text)
    return found


def _paragraphs(text: str, room: int) -> Iterator[str]:
    spent = 0
    for place, paragraph in enumerate(text.split(SEPARATOR)):
        size = words(paragraph)
        if spent + size > room:
            if not spent:  # one long paragraph
                yield " ".join(paragraph.split()[:room])
            return
        spent += size
        yield (SEPARATOR if place else "") + paragraph


def tiny(author: Author) -> Author:
    """A few words of a few posts of every part, to try the program with."""
    posts = [
        replace(post, text=" ".join(post.text.split()[:60]))
        for part in ("A", "B", "C")
        for post in author.part(part)[: 8 if part == "A" else 2]
    ]
    return replace(author, posts=tuple(posts))


def write(authors: Sequence[Author], file: Path) -> None:
    """For a machine without the importers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps(
            [
                {
                    "slug": author.slug,
                    "posts": [{**asdict(post), "part": author.parts[post.id]} for post in author.posts],
                }
                for author in authors
            ],
            ensure_ascii=False,
            default=date.isoformat,
        )
    )


def read(file: Path) -> list[Author]:
    """The inverse of `write`."""
    return [
        Author(
            slug=author["slug"],
            posts=tuple(
                Post(
                    id=post["id"],
                    title=post["title"],
                    text=post["text"],
                    date=date.fromisoformat(post["date"]) if post["date"] else None,
                )
                for post in author["posts"]
            ),
            parts={post["id"]: post["part"] for post in author["posts"]},
        )
        for author in json.loads(file.read_text())
    ]
