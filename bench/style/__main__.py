"""Does it sound like the author? `python -m bench.style --authors DIR`; the phases also run apart (bench/STYLE.md).
Knows the phases and their files. Knows nothing of what happens in them."""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from pathlib import Path
from typing import Any

from adapters import base_model
from bench.machine import ROOT
from bench.style import authors as corpora

PHASES = ("prepare", "generate", "judge")
WORK = ROOT / "var" / "style"
SIZES = (4000, 9000, 20000)
SHARES = (0.0, 0.2, 0.5, 1.0)


def main() -> None:
    arguments = _arguments()
    started = time.monotonic()
    for phase in arguments.phase or PHASES:
        print(f"{phase} ({time.monotonic() - started:.0f} s)", flush=True)
        globals()[phase](arguments)
    print(f"done ({time.monotonic() - started:.0f} s)", flush=True)


def prepare(arguments: argparse.Namespace) -> None:
    """From the authors' zips to posts in three parts, as JSON."""
    authors = corpora.read_folder(arguments.authors, arguments.seed)
    corpora.write(authors, arguments.posts)
    for author in authors:
        sizes = {part: len(author.part(part)) for part in ("A", "B", "C")}
        print(f"  {author.slug:24} posts {sizes}", flush=True)
    print(f"  {arguments.posts}", flush=True)


def generate(arguments: argparse.Namespace) -> None:
    """Train, write and measure into one JSON; goes on where an earlier call ended."""
    from adapters.training.rows import Rows
    from bench.style import plan
    from bench.style.generate import load, measure_every_voice, measure_own_voices, train_all, write_all
    from bench.style.run import Run

    authors = corpora.read(arguments.posts)
    if arguments.only:
        authors = [author for author in authors if author.slug in arguments.only]
    if arguments.tiny:
        authors = [corpora.tiny(author) for author in authors]
    folder = base_model.folder_of(arguments.base, arguments.models)
    run = Run(_run_file(arguments), _settings(arguments))
    model, tokenizer = load(folder, arguments.device, tiny=arguments.tiny)
    if arguments.ablation:
        voices = plan.ablation_voices(authors, arguments.seed, arguments.sizes, arguments.shares, arguments.rates)
    else:
        voices = plan.main_voices(authors, arguments.seed, arguments.words, arguments.rates)
    adapters = _run_file(arguments).with_suffix(".voices")
    ready = train_all(run, model, tokenizer, voices, adapters, arguments.train_minutes)
    rows = Rows(model, {voice.job.name: adapters / voice.job.name for voice in ready})
    texts = (
        plan.ablation_texts(authors, ready, arguments.texts)
        if arguments.ablation
        else plan.main_texts(authors, tokenizer, arguments.texts, arguments.seed)
    )
    write_all(run, rows, tokenizer, list(texts), arguments.tokens, arguments.seed)
    if arguments.ablation:
        measure_own_voices(run, rows, tokenizer, authors, ready)
    else:
        measure_every_voice(run, rows, tokenizer, authors, arguments.seed)
    print(f"  {run.file}: {run.data['seconds']}", flush=True)


def judge(arguments: argparse.Namespace) -> None:
    """From a run's JSON to the table, in bench/results/style/."""
    from bench.style.judging import judge_run

    files = arguments.runs or [_run_file(arguments)]
    print(judge_run(files, corpora.read(arguments.posts), arguments.results))


def _run_file(arguments: argparse.Namespace) -> Path:
    return arguments.out or WORK / f"{'ablation' if arguments.ablation else 'main'}{'-tiny' * arguments.tiny}.json"


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    fields = ["base", "seed", "texts", "tokens", "tiny", "only", "ablation", "rates"]
    fields += ["sizes", "shares"] if arguments.ablation else ["words"]
    posts = hashlib.sha256(arguments.posts.read_bytes()).hexdigest()
    return {**{field: getattr(arguments, field) for field in fields}, "posts": posts}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.style", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("phase", nargs="*", help=f"some of {', '.join(PHASES)}; all of them when none is named")
    parser.add_argument("--authors", type=Path, help="folder of zips, one an author (prepare)")
    parser.add_argument("--posts", type=Path, default=WORK / "posts.json", help="what prepare writes, the others read")
    parser.add_argument("--out", type=Path, help="the run's file (default: var/style/main.json or ablation.json)")
    parser.add_argument("--runs", type=Path, nargs="+", help="files that are judged as one run (judge)")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results" / "style")
    parser.add_argument("--base", default=base_model.STARTER, help="name or folder of the base model")
    parser.add_argument("--models", type=Path, default=Path(os.environ.get("IDIOLECT_MODELS", "var/models")))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", nargs="+", help="these authors")
    parser.add_argument("--words", type=int, default=40_000, help="of part A that a voice reads at most")
    parser.add_argument("--texts", type=int, help="of each author, condition and kind of brief (16; ablation: 6)")
    parser.add_argument("--tokens", type=int, default=480, help="of every text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[], help="factors of the learning rate to try (what the site tries)"
    )
    parser.add_argument("--train-minutes", type=float, default=1e9, help="begin no further voice after so many")
    parser.add_argument("--ablation", action="store_true", help="prompts and sizes of corpora, not the main table")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="words of a corpus (ablation)")
    parser.add_argument("--shares", type=float, nargs="+", default=list(SHARES), help="of continuations (ablation)")
    parser.add_argument("--tiny", action="store_true", help="random weights and a few words: only tries the program")
    arguments = parser.parse_args()
    if unknown := set(arguments.phase) - set(PHASES):
        parser.error(f"no phase is called {min(unknown)!r}")
    if arguments.authors is None and "prepare" in (arguments.phase or PHASES):
        parser.error("--authors is needed to prepare")
    if arguments.texts is None:
        arguments.texts = 2 if arguments.tiny else 6 if arguments.ablation else 16
    if arguments.tiny:
        arguments.tokens, arguments.sizes, arguments.shares = 24, [100, 200], [0.0, 1.0]
    return arguments


if __name__ == "__main__":
    main()
