"""Style profile: `python -m bench.profile`, how long measures, matches and copy checks take, and who is told from whom.
Knows the authors of the style benchmark. Knows nothing of voices; results go to bench/results/profile/."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

import numpy as np

from adapters.style.background import TABLE, background, made, table_of, vocabulary
from adapters.style.copying import Known
from adapters.style.match import UNLIKE, UNUSUAL, Voiceprint, fit
from adapters.style.profile import Post, measure
from adapters.style.reading import read
from adapters.style.scales import Scale, apart, measured, runs
from adapters.style.tally import Floats, Tally, tally
from adapters.style.traits import traits
from adapters.style.usual import Usual, used
from bench import machine
from bench.style.authors import Author, read_folder

PASSAGE: Final = 300
PARAGRAPH: Final = (25, 150)
"""Words of the paragraphs that are asked about."""
ASKED: Final = 300
"""Pieces of each author at most, evenly from all held-out posts."""
WORDS: Final = 2000
"""Of the text that is timed."""
REPEATS: Final = 50
LIBRARIES: Final = ("numpy", "scipy", "sentencex", "wordfreq")
"""Whose versions may move the figures."""

Pieces = list[tuple[Tally, int, int]]


@dataclass(frozen=True, kw_only=True)
class Tallied:
    """An author whose texts are counted."""

    slug: str
    """Short name."""
    own: list[Tally]
    """Posts that a voice is made of."""
    asked: dict[str, Pieces]
    """`300 words` and `paragraph` -> pieces of held-out posts."""


def main() -> None:
    """Time everything on the largest author, then ask for every author who is told from whom."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("folder", type=Path, help="zips of posts, one per author")
    parser.add_argument("--seed", type=int, default=0, help="of the parts that are held out")
    parser.add_argument("--table", action="store_true", help=f"also write {TABLE.name}, typical prose of all authors")
    arguments = parser.parse_args()
    authors = read_folder(arguments.folder, arguments.seed)
    if arguments.table:
        write_table(authors)  # before anything has read it
    background("en")
    largest = max(authors, key=lambda author: sum(len(post.text) for post in author.posts))
    versions = {library: metadata.version(library) for library in LIBRARIES}
    rows = [{"kind": "versions", **versions}, *timings(largest), *telling(authors), *flagged(authors)]
    print(machine.write("profile", "profile", arguments.seed, rows))


def posts(author: Author, held_out: bool = False) -> list[Post]:
    """All of an author's posts, or those that are not held out."""
    found = [post for post in author.posts if not held_out or author.parts[post.id] != "C"]
    return [Post(key=post.id, title=post.title, text=post.text, written=post.date) for post in found]


def timings(author: Author) -> list[dict[str, Any]]:
    """What each question takes; the second time, when words' frequencies are in memory."""
    every = posts(author)
    measure(every[:1])
    words = " ".join(post.text for post in every).split(" ")
    text = " ".join(words[len(words) // 2 :][:WORDS])
    voiceprint, known = fit(every), Known({post.key: post.text for post in every})
    asked: dict[str, tuple[Callable[[], object], int]] = {
        "measure": (lambda: measure(every), 3),
        "fit": (lambda: fit(every), 3),
        "know": (lambda: Known({post.key: post.text for post in every}), 3),
        "match": (lambda: voiceprint.match(text), REPEATS),
        "spans": (lambda: known.spans(text), REPEATS),
    }
    rows = []
    for name, (ask, repeats) in asked.items():
        seconds = median(_seconds(ask) for _ in range(repeats))
        of = WORDS if name in ("match", "spans") else len(words)
        row = {
            "kind": "time",
            "what": name,
            "author": author.slug,
            "words": of,
            "milliseconds": round(1000 * seconds, 1),
        }
        rows.append({**row, "repeats": repeats})
        print(f"{name:8} {of:7,} words {1000 * seconds:8.1f} ms", flush=True)
    kilobytes = len(json.dumps(voiceprint.as_dict(), ensure_ascii=False).encode()) / 1000
    print(f"voiceprint {kilobytes:.0f} kB")
    return [*rows, {"kind": "size", "what": "voiceprint", "author": author.slug, "kilobytes": round(kilobytes, 1)}]


def telling(authors: Sequence[Author]) -> list[dict[str, Any]]:
    """Area under the curve: how often an author's own held-out piece is nearer than another author's.

    The table of typical prose is made anew for each pair, of the six authors that are neither.
    """
    numbers = background("en").numbers
    tallied = [_tallied(author, numbers) for author in authors]
    rows: list[dict[str, Any]] = []
    for author in tallied:
        found: dict[str, dict[str, float]] = {size: {} for size in author.asked}
        for other in tallied:
            if other is author:
                continue
            back = made("en", table_of([each.own for each in tallied if each.slug not in (author.slug, other.slug)]))
            usual, scales = Usual(used(author.own, len(back.words)), back), measured(author.own, back)
            for size in found:
                own, others = (_distances(usual, scales, each.asked[size]) for each in (author, other))
                found[size][other.slug] = auc(own, others)
        for size, aucs in found.items():
            rows.append(
                {
                    "kind": "auc",
                    "author": author.slug,
                    "piece": size,
                    "pieces": len(author.asked[size]),
                    "auc": round(mean(aucs.values()), 3),
                    "against": {slug: round(value, 3) for slug, value in aucs.items()},
                }
            )
            lowest = min(aucs, key=aucs.__getitem__)
            print(f"{author.slug:20} {size:10} AUC {mean(aucs.values()):.3f}, least {aucs[lowest]:.3f} from {lowest}")
    for size in tallied[0].asked:
        print(f"{'mean':20} {size:10} AUC {mean(row['auc'] for row in rows if row['piece'] == size):.3f}", flush=True)
    return rows


def flagged(authors: Sequence[Author]) -> list[dict[str, Any]]:
    """Shares of held-out passages that are called unlike, the author's own and the others', as the site does it."""
    texts = {author.slug: _passages(author) for author in authors}
    rows = []
    for author in authors:
        voiceprint = fit(posts(author, held_out=True))
        own = _percentiles(voiceprint, texts[author.slug])
        others = _percentiles(
            voiceprint, [text for slug, found in texts.items() if slug != author.slug for text in found[:40]]
        )
        row = {
            "kind": "flagged",
            "author": author.slug,
            "piece": f"{PASSAGE} words",
            "own": len(own),
            "others": len(others),
        }
        for name, found in (("own", own), ("others", others)):
            row[f"{name}_unlike"] = round(mean(each < UNLIKE for each in found), 3)
            row[f"{name}_unusual"] = round(mean(each < UNUSUAL for each in found), 3)
        rows.append(row)
        print(f"{author.slug:20} unlike: own {row['own_unlike']:.3f}, others' {row['others_unlike']:.3f}", flush=True)
    return rows


def write_table(authors: Sequence[Author]) -> None:
    """The shipped table, of all authors."""
    numbers = {word: number for number, word in enumerate(vocabulary("en"))}
    table = table_of([[tally(read(post.text), numbers) for post in author.posts] for author in authors])
    about = "Per million words of typical prose, each author counted alike; sentences by classes of length per 10,000."
    named = {"about": about, "authors": [author.slug for author in authors], **table}
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in named.items()]
    TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def auc(near: Floats, far: Floats) -> float:
    """How often a distance of the first is less than one of the second; equal ones count half."""
    less: Floats = (near[:, None] < far[None, :]) + 0.5 * (near[:, None] == far[None, :])
    return float(less.mean())


def _tallied(author: Author, numbers: Mapping[str, int]) -> Tallied:
    own = [tally(read(post.text), numbers) for post in author.posts if author.parts[post.id] != "C"]
    held_out = [tally(read(post.text), numbers) for post in author.part("C")]
    passages = [(text, first, last) for text in held_out for first, last in runs(text.words, PASSAGE)]
    least, most = PARAGRAPH
    paragraphs = [
        (text, first, last)
        for text in held_out
        for first, last in text.paragraphs
        if least <= text.words[first:last].sum() <= most
    ]
    return Tallied(
        slug=author.slug, own=own, asked={f"{PASSAGE} words": _some(passages), "paragraph": _some(paragraphs)}
    )


def _some(pieces: Pieces) -> Pieces:
    return [pieces[int(place)] for place in np.linspace(0, len(pieces) - 1, min(len(pieces), ASKED))]


def _distances(usual: Usual, scales: Sequence[Scale], pieces: Pieces) -> Floats:
    near = {key: usual.nearness(text) for key, text in {id(text): text for text, _, _ in pieces}.items()}
    found = []
    for text, first, last in pieces:
        counts = text.counts[first:last].sum(axis=0, keepdims=True)
        words = int(counts[0, 0])
        found.append(apart(scales, words, near[id(text)][first:last].sum() / words, traits(counts)[0])[0])
    return np.array(found)


def _passages(author: Author) -> list[str]:
    found = []
    for post in author.part("C"):
        reading = tally(read(post.text), {})
        found += [
            post.text[reading.spans[first].start : reading.spans[last - 1].end]
            for first, last in runs(reading.words, PASSAGE)
        ]
    return [found[int(place)] for place in np.linspace(0, len(found) - 1, min(len(found), ASKED))]


def _percentiles(voiceprint: Voiceprint, texts: Sequence[str]) -> list[float]:
    return [found for text in texts if (found := voiceprint.match(text).percentile) is not None]


def _seconds(ask: Callable[[], object]) -> float:
    started = time.perf_counter()
    ask()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
