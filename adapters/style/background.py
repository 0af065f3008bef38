"""Background: how often anybody's prose has each word and mark, against which an author's own use is seen.
Knows general language and a small table of typical prose. Knows nothing of single authors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from adapters.style import lexicon
from adapters.style.tally import LENGTHS, TALLIED_MARKS, Floats, Tally

TABLE: Final = Path(__file__).with_name("typical_prose.json")
WORDS: Final = 3000
"""The commonest of general language. Rarer ones tell subjects more than styles; with 5,000 or 10,000 the eight authors
of the benchmark are told apart hardly better."""
_LEAST: Final = 1e-7


@dataclass(frozen=True, kw_only=True)
class Background:
    """What is usual for anybody who writes in a language."""

    numbers: Mapping[str, int]
    """Word -> its number, the vocabulary."""
    words: Floats
    """(vocabulary,) share of each among all words."""
    marks: Floats
    """(TALLIED_MARKS,) how many of each a word."""
    lengths: Floats
    """(LENGTHS,) share of sentences of each class."""


@cache
def typical() -> Mapping[str, float]:
    """Word -> its share in typical English prose, for the words of the vocabulary that stand there."""
    return {word: times / 1e6 for word, times in _table()["words"].items()}


@cache
def background(language: str | None) -> Background:
    """For English, half general language and half typical prose; for another, general language with its own words.

    For an unknown one there is no vocabulary: marks and lengths of sentences have to do.
    """
    return made(language, _table())


def made(language: str | None, table: Mapping[str, Any]) -> Background:
    """A background from a table of typical prose, as `table_of` makes it."""
    known = vocabulary(language)
    general = lexicon.general(language) if language else {}
    words = np.array([general[word] for word in known])
    if language == "en":
        words = (words + np.array([table["words"].get(word, 0) for word in known]) / 1e6) / 2
    return Background(
        numbers={word: number for number, word in enumerate(known)},
        words=words + _LEAST,
        marks=np.array([table["marks"][name] for name in TALLIED_MARKS]) / 1e6 + _LEAST,
        lengths=np.array(table["lengths"]) / sum(table["lengths"]),
    )


def table_of(writers: list[list[Tally]]) -> dict[str, Any]:
    """The table of typical English prose from tallies of several writers' texts; each writer counts alike."""
    known = vocabulary("en")
    words, marks, lengths = np.zeros(len(known)), np.zeros(len(TALLIED_MARKS)), np.zeros(len(LENGTHS))
    for texts in writers:
        total = sum(float(text.words.sum()) for text in texts)
        used = sum(np.bincount(text.word_number, minlength=len(known)) for text in texts)
        words += used / total / len(writers)
        marks += sum(text.marks.sum(axis=0) for text in texts) / total / len(writers)
        classes = sum(np.bincount(text.length_class, minlength=len(LENGTHS)) for text in texts)
        lengths += classes / np.sum(classes) / len(writers)
    return {
        "words": {word: round(1e6 * share) for word, share in zip(known, words.tolist(), strict=True) if share > 5e-7},
        "marks": {name: round(1e6 * share) for name, share in zip(TALLIED_MARKS, marks.tolist(), strict=True)},
        "lengths": [round(1e4 * share) for share in lengths.tolist()],
    }


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


@cache
def vocabulary(language: str | None) -> tuple[str, ...]:
    """The commonest words of a language, the commonest first; none of an unknown one."""
    general = lexicon.general(language) if language else {}
    # A single letter, these two aside, is a formula's or an abbreviation's.
    words = [word for word in general if word[0].isalpha() and (len(word) > 1 or word in ("a", "i"))]
    words.sort(key=lambda word: (-general[word], word))
    return tuple(words[:WORDS])
