"""The phase that runs anywhere: who do the judges say wrote the texts, and was anything copied?
Knows judges, conditions and intervals. Knows nothing of models."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Final

import numpy as np

from adapters.style.copying import Source, tokens
from adapters.style.judge import KINDS, Judge
from adapters.style.passages import beginning, passages
from bench import machine
from bench.style.authors import Author, Part

COPIED: Final = 13
"""A text with so long a run from the training posts counts as wrong."""
PASSAGES_TO_LEARN: Final = 60
PASSAGES_TO_TELL: Final = 24
"""Of every author's B, and of C, at most."""
DRAWS: Final = 2000
HUMAN: Final = "the author"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One text, and what was found."""

    group: tuple[Any, ...]
    """Condition, briefs, words of the corpus, share of continuations."""
    author: str
    """Whom it should sound like."""
    text: str
    """Its first 300 words."""
    run: int
    """Tokens of its longest copied run."""


def judge_run(files: Sequence[Path], authors: Sequence[Author], results: Path) -> Path:
    """Judge what is in one run's files, print the table, write the result file and return it."""
    runs = [json.loads(file.read_text()) for file in files]
    present = {text["author"] for run in runs for text in run["texts"].values()}
    authors = [author for author in authors if author.slug in present]
    found = [*_human(authors, runs[0]["settings"]["seed"]), *_written(runs, authors)]
    rows: list[dict[str, Any]] = []
    costs = _costs(runs, authors)
    for kind in KINDS:
        judge = Judge(kind, *_lessons(authors, runs[0]["settings"]["seed"]))
        rows += _table(kind, judge, found, costs, len(authors))
    likelihood = _likelihood(runs, authors)
    rows += likelihood
    _print(rows)
    settings = runs[0]["settings"]
    name = ("ablation" if settings["ablation"] else "main") + ("-tiny" if settings["tiny"] else "")
    results.mkdir(parents=True, exist_ok=True)
    file = results / f"{Path(settings['base']).name}-{name}-{runs[0]['time'].replace(':', '')}.json"
    about = {key: runs[0][key] for key in ("machine", "versions", "commit", "time")}
    judged = {key: machine.describe()[key] for key in ("versions", "commit", "time")}
    file.write_text(
        json.dumps(
            {
                **about,
                "judged": judged,
                "seed": settings["seed"],
                "settings": settings,
                "seconds": [run["seconds"] for run in runs],
                "voices": [voice for run in runs for voice in run["voices"].values()],
                "rows": rows,
            },
            indent=1,
        )
        + "\n"
    )
    return file


def _lessons(authors: Sequence[Author], seed: int) -> tuple[list[str], list[str]]:
    """Passages of B and who wrote them, as many of every author."""
    of_each = {author.slug: _spread(author, "B", PASSAGES_TO_LEARN, seed) for author in authors}
    least = min(len(found) for found in of_each.values())
    pairs = [(text, slug) for slug, found in of_each.items() for text in found[:least]]
    return [text for text, _ in pairs], [slug for _, slug in pairs]


def _spread(author: Author, part: Part, most: int, seed: int) -> list[str]:
    # Over all posts of the part: a long post is one subject.
    found = [text for post in author.part(part) for text in passages(post.text)]
    random.Random(f"{seed} {author.slug} {part}").shuffle(found)
    return found[:most]


def _human(authors: Sequence[Author], seed: int) -> Iterator[Judged]:
    for author in authors:
        source = _source(author)
        for text in _spread(author, "C", PASSAGES_TO_TELL, seed):
            run = source.longest_run(text).tokens
            yield Judged(group=(HUMAN, None, None, None), author=author.slug, text=text, run=run)


def _written(runs: Sequence[dict[str, Any]], authors: Sequence[Author]) -> Iterator[Judged]:
    sources = {author.slug: _source(author) for author in authors}
    for run in runs:
        for text in run["texts"].values():
            voice = run["voices"].get(text["voice"], {})
            # A text may have copied from whomever its voice or its examples are of.
            readable = {text["author"], voice.get("author", text["author"])} & set(sources)
            shape = (voice.get("words"), voice.get("share")) if run["settings"]["ablation"] else (None, None)
            yield Judged(
                group=(text["condition"], text["briefs"], *shape),
                author=text["author"],
                text=beginning(text["text"]),
                run=max(sources[slug].longest_run(text["text"]).tokens for slug in readable),
            )


def _source(author: Author) -> Source:
    return Source(post.text for post in author.part("A"))


def _table(
    kind: str, judge: Judge, found: Sequence[Judged], costs: dict[tuple[Any, ...], float], authors: int
) -> Iterator[dict[str, Any]]:
    ranks = judge.ranks([one.text for one in found], [one.author for one in found])
    groups: dict[tuple[Any, ...], list[tuple[Judged, int]]] = defaultdict(list)
    for one, rank in zip(found, ranks, strict=True):
        groups[one.group].append((one, rank))
    top1 = {group: _top(pairs, 1) for group, pairs in groups.items()}
    ceiling = mean(top1[(HUMAN, None, None, None)].values())
    for group, pairs in sorted(groups.items(), key=lambda item: str(item[0])):
        condition, briefs, words, share = group
        right = mean(top1[group].values())
        floor = top1.get(("base", briefs, None, None))
        low, high = _interval(list(top1[group].values()))
        base = mean(floor.values()) if floor else None
        yield {
            "judge": kind,
            "condition": condition,
            "briefs": briefs,
            "words": words,
            "continuation_share": share,
            "authors": len(top1[group]),
            "posts": len(pairs),
            "top1": round(right, 4),
            "top5": round(mean(_top(pairs, 5).values()), 4) if authors > 5 else None,
            "low": round(low, 4),
            "high": round(high, 4),
            "fidelity": round((right - base) / (ceiling - base), 4) if base is not None and ceiling > base else None,
            "bits_per_byte": costs.get((condition, words, share)),
            "longest_copy": max(one.run for one, _ in pairs),
            "copied": sum(one.run >= COPIED for one, _ in pairs),
            "short": sum(len(one.text.split()) < 300 for one, _ in pairs),
            "distinct": [round(mean(_distinct(one.text, size) for one, _ in pairs), 4) for size in (1, 2, 3)],
            "top1_of_each": {author: round(share, 4) for author, share in top1[group].items()},
        }


def _top(pairs: Sequence[tuple[Judged, int]], places: int) -> dict[str, float]:
    # Author -> share of their texts that are among the first places and not copied.
    of_each: dict[str, list[bool]] = defaultdict(list)
    for one, rank in pairs:
        of_each[one.author].append(rank <= places and one.run < COPIED)
    return {author: mean(right) for author, right in of_each.items()}


def _interval(shares: Sequence[float]) -> tuple[float, float]:
    """95 % of the means of authors drawn again with replacement lie between these."""
    drawn = np.random.default_rng(0).choice(np.array(shares), size=(DRAWS, len(shares))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _distinct(text: str, size: int) -> float:
    words = tokens(text)
    grams = [tuple(words[place : place + size]) for place in range(len(words) - size + 1)]
    return len(set(grams)) / max(1, len(grams))


def _posts(cost: dict[str, Any], author: Author) -> list[tuple[float, int]]:
    return [(bits, size) for number, bits, size in cost["posts"] if author.parts.get(number) == "C"]


def _costs(runs: Sequence[dict[str, Any]], authors: Sequence[Author]) -> dict[tuple[Any, ...], float]:
    """(condition, words, share) -> bits per byte of the held-out posts, the mean over the authors."""
    found: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for run in runs:
        ablation = run["settings"]["ablation"]
        for cost in run["costs"].values():
            voice = run["voices"].get(cost["voice"], {})
            for author in authors:
                posts = _posts(cost, author)
                if not posts:
                    continue
                condition = "base" if not voice else "voice" if voice["author"] == author.slug else "another's voice"
                condition += " + 5" if cost["examples"] else ""
                shape = (voice.get("words"), voice.get("share")) if ablation else (None, None)
                bits, size = map(sum, zip(*posts, strict=True))
                found[(condition, *shape)].append(bits / size)
    return {group: round(mean(values), 5) for group, values in found.items()}


def _likelihood(runs: Sequence[dict[str, Any]], authors: Sequence[Author]) -> list[dict[str, Any]]:
    """Whose voice finds each held-out post likeliest?"""
    rates: dict[int, dict[str, float]] = defaultdict(dict)
    for run in runs:
        for cost in run["costs"].values():
            if cost["voice"] and cost["author"] is None:
                for number, bits, size in cost["posts"]:
                    rates[number][run["voices"][cost["voice"]]["author"]] = bits / size
    if not rates:
        return []
    right = {
        author.slug: [
            min(rates[post.id], key=rates[post.id].__getitem__) == author.slug
            for post in author.part("C")
            if post.id in rates
        ]
        for author in authors
    }
    low, high = _interval([mean(found) for found in right.values()])
    posts = [found for each in right.values() for found in each]
    return [
        {
            "judge": "likelihood",
            "condition": HUMAN,
            "authors": len(right),
            "authors_right": sum(mean(found) > 0.5 for found in right.values()),
            "posts": len(posts),
            "top1": round(mean(posts), 4),
            "top1_mean_of_authors": round(mean(mean(found) for found in right.values()), 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "top1_of_each": {slug: round(mean(found), 4) for slug, found in right.items()},
        }
    ]


def _print(rows: Sequence[dict[str, Any]]) -> None:
    print(f"  {'judge':15} {'condition':16} {'briefs':8} {'words':>6} {'share':>5} {'texts':>5} {'top-1':>6}", end="")
    print(f" {'95 %':>12} {'top-5':>6} {'fidelity':>8} {'bits/byte':>9} {'copy':>4}")
    for row in rows:
        cells = [row.get(name) for name in ("briefs", "words", "continuation_share")]
        briefs, words, share = ("" if cell is None else f"{cell}" for cell in cells)
        rest = [(row.get("top5"), ".3f", 6), (row.get("fidelity"), ".2f", 8), (row.get("bits_per_byte"), ".4f", 9)]
        told = " ".join(f"{'' if value is None else format(value, form):>{width}}" for value, form, width in rest)
        print(
            f"  {row['judge']:15} {row['condition']:16} {briefs:8} {words:>6} {share:>5} {row['posts']:>5}"
            f" {row['top1']:>6.3f} {row['low']:>6.3f}-{row['high']:.3f} {told} {row.get('longest_copy', ''):>4}"
        )
