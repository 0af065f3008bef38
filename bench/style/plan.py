"""What is trained, written and measured: the main table, and the ablation over prompts and sizes of corpora.
Knows authors, conditions and seeds. Knows nothing of tensors or files."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from adapters.style.meter import words
from adapters.training.dataset import Post
from adapters.training.examples import draw
from adapters.training.writing import Request
from bench.style.authors import Author, excerpts
from bench.style.briefs import NEUTRAL
from bench.style.voices import Job

EXAMPLE_TOKENS: Final = 1000
"""Of five posts' beginnings and their briefs before a request: half of the context in which costs are measured."""
Condition = Literal["base", "base + 5", "voice", "voice + 5", "another's voice"]
Briefs = Literal["own", "neutral"]


@dataclass(frozen=True, kw_only=True)
class Voice:
    """A voice of the plan."""

    job: Job
    """What it is trained on."""
    author: str
    """Whose it is."""
    words: int
    """Of the posts it is made from."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A text of the plan."""

    request: Request
    """What is asked for."""
    condition: Condition
    """How."""
    author: str
    """Whom it should sound like."""
    briefs: Briefs
    """Titles of the author's held-out posts, or briefs that are the same for all."""

    def as_dict(self) -> dict[str, Any]:
        """For the run's file."""
        return {
            "condition": self.condition,
            "author": self.author,
            "voice": self.request.voice,
            "briefs": self.briefs,
            "brief": self.request.brief,
        }


def main_voices(authors: Sequence[Author], seed: int, most: int, factors: Sequence[float] = ()) -> list[Voice]:
    """One of each author, from all of A up to `most` words."""
    voices = []
    for author in authors:
        posts, total = [], 0
        for post in _shuffled(author, seed):
            if total and total + words(post.text) > most:
                continue
            posts.append(post)
            total += words(post.text)
        job = Job(name=author.slug, posts=posts, seed=seed, factors=tuple(factors))
        voices.append(Voice(job=job, author=author.slug, words=total))
    return voices


def ablation_voices(
    authors: Sequence[Author], seed: int, sizes: Sequence[int], shares: Sequence[float], factors: Sequence[float] = ()
) -> list[Voice]:
    """Each author's, for every size of corpus in words and every share of continuations; small ones first."""
    return [
        Voice(
            job=Job(
                name=f"{author.slug}-{size}-{share:g}",
                posts=excerpts(_shuffled(author, seed), size, at_least=6),
                seed=seed,
                share=share,
                factors=tuple(factors),
            ),
            author=author.slug,
            words=size,
        )
        for size in sizes
        for share in shares
        for author in authors
    ]


def main_texts(authors: Sequence[Author], tokenizer: Any, each: int, seed: int) -> Iterator[Text]:
    """Of every author `each` texts under every condition, to own and to neutral briefs."""
    slugs = [author.slug for author in authors]
    for author in authors:
        others = [slug for slug in slugs if slug != author.slug]
        for number in range(each):
            name = f"{seed} {author.slug} {number}"
            examples = tuple(draw(author.part("A"), tokenizer, tokens=EXAMPLE_TOKENS, seed=name))
            for kind in ("own", "neutral"):
                brief = _brief(author, kind, number)
                for condition, voice, shown in (
                    ("base", None, ()),
                    ("base + 5", None, examples),
                    ("voice", author.slug, ()),
                    ("voice + 5", author.slug, examples),
                    ("another's voice", others[number % len(others)] if others else None, ()),
                ):
                    key = f"{author.slug}/{kind}/{number}/{condition}"
                    request = Request(key=key, brief=brief, voice=voice, examples=shown)
                    yield Text(request=request, condition=condition, author=author.slug, briefs=kind)  # type: ignore[arg-type]


def ablation_texts(authors: Sequence[Author], voices: Sequence[Voice], each: int) -> Iterator[Text]:
    """Of every voice `each` texts to own briefs, and as many of the base model."""
    for author in authors:
        names = [None, *(voice.job.name for voice in voices if voice.author == author.slug)]
        for name in names:
            for number in range(each):
                request = Request(
                    key=f"{author.slug}/own/{number}/{name or 'base'}", brief=_brief(author, "own", number), voice=name
                )
                yield Text(request=request, condition="voice" if name else "base", author=author.slug, briefs="own")


def _shuffled(author: Author, seed: int) -> list[Post]:
    posts = author.part("A")
    random.Random(f"{seed} A {author.slug}").shuffle(posts)
    return posts


def _brief(author: Author, kind: str, number: int) -> str:
    if kind == "neutral":
        return NEUTRAL[number % len(NEUTRAL)]
    titles = [post.title for post in author.part("C") if post.title]
    return titles[number % len(titles)]
