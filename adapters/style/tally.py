"""Tally: what every sentence of a text has of each word, mark and habit, so that any run of sentences can be summed.
Knows how to count into arrays. Knows nothing of authors or distances."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from adapters.style import lexicon
from adapters.style.facts import DASHES, LONG_WORD, MARKS
from adapters.style.reading import Reading, Span

TALLIED_MARKS: Final = (
    "comma", "semicolon", "colon", "bracket", "question", "exclamation", "ellipsis", "quotation", "dash",
)  # fmt: skip
LENGTHS: Final = (1, 4, 7, 10, 14, 18, 23, 29, 37, 50)
"""First number of words of each class of sentence lengths."""
COUNTED: Final = (
    "words", "sentences", "letters", "known", "long words", "i", "we", "you", "they", "contracted", "contractible",
    *TALLIED_MARKS,
)  # fmt: skip
_COLUMN: Final = {name: place for place, name in enumerate(COUNTED)}
_PEOPLE: Final = {"i": lexicon.I, "we": lexicon.WE, "you": lexicon.YOU, "they": lexicon.THEY}
_STRAIGHT: Final = str.maketrans("‘’", "''")

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """A text's sentences in figures."""

    spans: tuple[Span, ...]
    """Where each sentence stands."""
    paragraphs: tuple[tuple[int, int], ...]
    """First sentence of each paragraph, and the one after its last."""
    word_sentence: Ints
    """(known words,) the sentence of each word that the vocabulary has."""
    word_number: Ints
    """(known words,) and its number there."""
    length_class: Ints
    """(sentences,) place in `LENGTHS`."""
    counts: Floats
    """(sentences, COUNTED)"""

    @property
    def words(self) -> Floats:
        """(sentences,) how many."""
        return self.counts[:, _COLUMN["words"]]

    @property
    def marks(self) -> Floats:
        """(sentences, TALLIED_MARKS)"""
        return self.counts[:, -len(TALLIED_MARKS) :]


def tally(reading: Reading, numbers: Mapping[str, int]) -> Tally:
    """Count a text; `numbers` is the vocabulary: word -> number."""
    spans = tuple(span for paragraph in reading.paragraphs for span in paragraph.sentences)
    counts = np.zeros((len(spans), len(COUNTED)))
    firsts = np.array([span.first for span in spans], dtype=np.int64)
    lengths = np.array([span.words for span in spans], dtype=np.int64)
    sentence = np.repeat(np.arange(len(spans)), lengths)  # (words,); every word is in a sentence
    counts[:, _COLUMN["words"]] = lengths
    counts[:, _COLUMN["sentences"]] = 1
    if len(spans):
        sizes = np.array([len(word) for word in reading.words], dtype=np.float64)
        counts[:, _COLUMN["letters"]] = np.add.reduceat(sizes, firsts)
        counts[:, _COLUMN["long words"]] = np.add.reduceat((sizes >= LONG_WORD).astype(np.float64), firsts)
        for name, people in _PEOPLE.items():
            said = np.array([word in people for word in reading.words], dtype=np.float64)
            counts[:, _COLUMN[name]] = np.add.reduceat(said, firsts)
        starts = np.array([span.start for span in spans])
        for name, places in _matches(reading.text):
            into = np.maximum(0, np.searchsorted(starts, places, side="right") - 1)
            counts[:, _COLUMN[name]] += np.bincount(into, minlength=len(spans))
    known = [(place, numbers[word]) for place, word in enumerate(reading.words) if word in numbers]
    at = np.array([place for place, _ in known], dtype=np.int64)
    counts[:, _COLUMN["known"]] = np.bincount(sentence[at], minlength=len(spans))
    ends = np.cumsum([len(paragraph.sentences) for paragraph in reading.paragraphs]).tolist()
    return Tally(
        spans=spans,
        paragraphs=tuple(zip([0, *ends[:-1]], ends, strict=True)) if ends else (),
        word_sentence=sentence[at],
        word_number=np.array([number for _, number in known], dtype=np.int64),
        length_class=np.searchsorted(LENGTHS, lengths, side="right") - 1,
        counts=counts,
    )


def _matches(text: str) -> Iterator[tuple[str, list[int]]]:
    for name, mark in MARKS.items():
        yield ("dash" if name in DASHES else name), [match.start() for match in mark.finditer(text)]
    # A text whose length changes in small letters keeps its own: the few words that do that are no English.
    small = text.lower()
    plain = (small if len(small) == len(text) else text).translate(_STRAIGHT)
    for pattern, names in (
        (lexicon.CONTRACTED, ("contracted", "contractible")),
        (lexicon.CONTRACTIBLE, ("contractible",)),
    ):
        places = [match.start() for match in re.finditer(pattern, plain)]
        for name in names:
            yield name, places
