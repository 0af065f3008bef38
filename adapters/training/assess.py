"""Assess: measures a finished voice against the base model, the author's own writing and another's voice.
Knows models, texts and judges. Knows nothing of what is good enough (see `assessment`), jobs or pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any, Final

from adapters.style.copying import Source
from adapters.style.judge import Judge
from adapters.style.passages import WORDS, beginning, passages
from adapters.training.assessment import Assessment, Attributed, Copied, Written
from adapters.training.dataset import DataSet, Post
from adapters.training.evaluation import bits_per_byte, context_of
from adapters.training.examples import draw
from adapters.training.rows import Rows
from adapters.training.stopping import ShouldStop, never
from adapters.training.writing import Request, write

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# What a judge must have read of somebody: fewer passages are one subject more than a style.
PASSAGES_AT_LEAST: Final = 3
# A writer who shares so many words in a row with the author is the author under another name, or quotes them at length.
SAME_WRITER: Final = 50
VOICE: Final = "voice"
OTHER: Final = "other"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much may be read and written. Writing is what takes time: on two CPU cores 50 to 100 tokens a second."""

    texts: int = 8
    """Texts by the voice, and as many by the base model and the other voice where there are judges; 0 writes none."""
    tokens: int = 440
    """Of each; a little more than the 300 words that a judge needs."""
    example_tokens: int = 1000
    """Of the five posts in the context, as far as half of it goes; 0 leaves them out."""


def assess(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    data: DataSet,
    adapter: Path,
    *,
    budget: Budget = Budget(),
    others: Mapping[str, Sequence[str]] | None = None,
    other_voice: Path | None = None,
    measured: tuple[float, float] | None = None,
    seed: int = 0,
    should_stop: ShouldStop = never,
) -> Assessment:
    """Measure the voice in `adapter` (PEFT's layout) on its plain base model, which is afterwards what it was.

    `others` are texts by other writers for the judges to choose from, `other_voice` is another author's adapter on the
    same base, `measured` are the bits per byte of base and voice where the trainer has told them. Whatever cannot be
    measured is None, and the reason is in `missing`. Raises Stopped when `should_stop()` becomes true.
    """
    missing: dict[str, str] = {}
    rows = Rows(model, {VOICE: adapter} | ({OTHER: other_voice} if other_voice else {}))

    def bits(voice: str | None, examples: Sequence[tuple[str, str]] = ()) -> float:
        with rows.of([voice]):
            return bits_per_byte(model, tokenizer, data.held_out, should_stop, examples=examples)

    base_bits, voice_bits = measured or (bits(None), bits(VOICE))
    # Half of the context at most: the other half is for the post.
    room = min(budget.example_tokens, context_of(model) // 2)
    examples = draw(data.train, tokenizer, tokens=room, seed=seed)
    if not examples:
        missing["examples_bits"] = "no post fits into the tokens that examples may have"
    if other_voice is None:
        missing["other_bits"] = missing["other"] = "there is no other author's voice to compare with"
    judging = _Judging(data, others or {})
    if judging.missing:
        missing["attributed"] = judging.missing
    # Where nobody judges, there is nothing to compare with: only the voice could have copied the training posts.
    writers = [VOICE] if judging.missing else ["base", *rows.voices]
    written = _written(rows, tokenizer, data, writers, budget, seed, should_stop)
    for name in ("base", *rows.voices):
        if name not in written:
            missing[name] = judging.missing if budget.texts else "no texts were asked for"
    source = Source(post.text for post in data.train)
    own = [post.text for post in data.held_out]

    def about(name: str) -> Written | None:
        texts = written.get(name)
        if not texts:
            return None
        found = Written(texts=len(texts), copied=copied(source, texts), attributed=judging.attributed(texts))
        if found.attributed is None and not judging.missing:
            missing[f"{name}.attributed"] = f"no text of {budget.tokens} tokens has the {WORDS} words that judges need"
        return found

    own_attributed = judging.own()
    if own_attributed is None and not judging.missing:
        missing["own.attributed"] = "only one held-out post is long enough, and a judge must know another"

    return Assessment(
        base_bits=base_bits,
        voice_bits=voice_bits,
        examples_bits=bits(None, examples) if examples else None,
        other_bits=bits(OTHER) if other_voice else None,
        voice=about(VOICE),
        base=about("base"),
        other=about(OTHER),
        own=Written(texts=len(own), copied=copied(source, own), attributed=own_attributed),
        missing=missing,
    )


def copied(source: Source, texts: Sequence[str]) -> Copied:
    """What the texts have taken from the source: the worst run of all, and the mean of the overlaps."""
    run = max((source.longest_run(text) for text in texts), key=lambda run: run.tokens)
    return Copied(
        longest_run=run.tokens,
        passage=run.passage,
        overlap_5=mean(source.overlap(text, 5) for text in texts),
        overlap_13=mean(source.overlap(text, 13) for text in texts),
    )


def _written(
    rows: Rows,
    tokenizer: PreTrainedTokenizerBase,
    data: DataSet,
    writers: Sequence[str],
    budget: Budget,
    seed: int,
    should_stop: ShouldStop,
) -> dict[str, list[str]]:
    """Writer -> texts; all writers are asked for the same."""
    if not budget.texts:
        return {}
    requests = [
        Request(key=f"{name} {number}", brief=brief, voice=None if name == "base" else name)
        for number, brief in enumerate(_briefs(data, budget.texts))
        for name in writers
    ]
    found: dict[str, str] = {}
    for batch in write(rows, tokenizer, requests, tokens=budget.tokens, seed=seed, should_stop=should_stop):
        found |= batch
    return {name: [found[f"{name} {number}"] for number in range(budget.texts)] for name in writers}


def _briefs(data: DataSet, count: int) -> Iterator[str]:
    """Titles of held-out and of training posts in turn: a voice that has learned posts by heart shows it on those."""
    kinds = [_titles(data.held_out), _titles(data.train)]
    for number in range(count):
        titles = kinds[number % 2]
        yield titles[number // 2 % len(titles)]


def _titles(posts: Sequence[Post]) -> list[str]:
    return [post.title for post in posts if post.title.strip()] or [""]


class _Judging:
    """Judges taught by the author's held-out posts and by other writers; nobody taught them the training posts."""

    def __init__(self, data: DataSet, others: Mapping[str, Sequence[str]]) -> None:
        self.missing = ""
        known = Source(post.text for post in (*data.train, *data.held_out))
        self._own = [list(passages(post.text)) for post in data.held_out]
        count = sum(map(len, self._own))
        readable = {
            name: [text for each in texts for text in passages(each)]
            for name, texts in others.items()
            if all(known.longest_run(text).tokens < SAME_WRITER for text in texts)
        }
        self._others = {name: texts for name, texts in readable.items() if len(texts) >= PASSAGES_AT_LEAST}
        if count < PASSAGES_AT_LEAST:
            self.missing = f"the held-out posts have {count} passages of {WORDS} words, {PASSAGES_AT_LEAST} are needed"
        elif not self._others:
            self.missing = f"no other writer is there with {PASSAGES_AT_LEAST} passages of {WORDS} words"
        self._judges = [] if self.missing else self._taught(self._own)

    def attributed(self, texts: Sequence[str]) -> Attributed | None:
        """None where no judge could be taught, or where no text is long enough."""
        long = [beginning(text) for text in texts if len(text.split()) >= WORDS]
        if not self._judges or not long:
            return None
        return Attributed(**{name: _share(judge, long) for name, judge in self._judges})

    def own(self) -> Attributed | None:
        """Each held-out post judged by those who were taught by the other held-out posts."""
        found: dict[str, list[float]] = {}
        for place, asked in enumerate(self._own):
            taught = self._own[:place] + self._own[place + 1 :]
            if self.missing or not asked or sum(map(len, taught)) < PASSAGES_AT_LEAST:
                continue
            for name, judge in self._taught(taught):
                found.setdefault(name, []).append(_share(judge, asked))
        return Attributed(**{name: mean(shares) for name, shares in found.items()}) if found else None

    def _taught(self, own: Sequence[Sequence[str]]) -> list[tuple[str, Judge]]:
        mine = [text for post in own for text in post]
        pairs = [(text, "") for text in mine]
        # As many of everybody, as far as there are: a judge guesses the writer it has read most of.
        pairs += [(text, name) for name, texts in self._others.items() for text in texts[: len(mine)]]
        texts, writers = [text for text, _ in pairs], [f"other {name}" if name else "author" for _, name in pairs]
        return [(kind.replace(" ", "_"), Judge(kind, texts, writers)) for kind in ("characters", "function words")]


def _share(judge: Judge, texts: Sequence[str]) -> float:
    return mean(rank == 1 for rank in judge.ranks(texts, ["author"] * len(texts)))
