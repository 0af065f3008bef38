"""Usual: how an author's use of words, marks and sentence lengths differs from anybody's, and how near a text comes.
Knows tallies and a background. Knows nothing of which distances are usual."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.style.background import Background
from adapters.style.tally import LENGTHS, TALLIED_MARKS, Floats, Ints, Tally

_PRIOR_WORDS: Final = 10_000
"""Words of the background that an author's own are mixed with: what somebody never used may come yet."""
_PRIOR_SENTENCES: Final = 50
_CLIP: Final = 3.0
"""No single word says more than this: e to the 3rd, 20 times as likely."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What an author has used, and how often."""

    total: float
    """Words in all."""
    words: Ints
    """(vocabulary,)"""
    marks: Floats
    """(TALLIED_MARKS,)"""
    lengths: Ints
    """(LENGTHS,) sentences of each class."""

    def less(self, other: Used) -> Used:
        """Without a part of it."""
        return Used(
            total=self.total - other.total,
            words=self.words - other.words,
            marks=self.marks - other.marks,
            lengths=self.lengths - other.lengths,
        )


def used(tallies: Iterable[Tally], vocabulary: int) -> Used:
    """Everything in some texts."""
    total, words = 0.0, np.zeros(vocabulary, dtype=np.int64)
    marks, lengths = np.zeros(len(TALLIED_MARKS)), np.zeros(len(LENGTHS), dtype=np.int64)
    for text in tallies:
        total += float(text.words.sum())
        words += np.bincount(text.word_number, minlength=vocabulary)
        marks += text.marks.sum(axis=0)
        lengths += np.bincount(text.length_class, minlength=len(LENGTHS))
    return Used(total=total, words=words, marks=marks, lengths=lengths)


class Usual:
    """How much more likely this author sets each word, mark and sentence than anybody does.

    The logarithm of that ratio, added over a text and divided by its words, is how near the text comes: a naive Bayes
    classifier between the author and the background, whose sums can be told word by word.
    """

    def __init__(self, own: Used, back: Background) -> None:
        self.rates = (own.words + _PRIOR_WORDS * back.words) / (own.total + _PRIOR_WORDS)  # (vocabulary,)
        self.mark_rates = (own.marks + _PRIOR_WORDS * back.marks) / (own.total + _PRIOR_WORDS)  # (TALLIED_MARKS,)
        lengths = (own.lengths + _PRIOR_SENTENCES * back.lengths) / (own.lengths.sum() + _PRIOR_SENTENCES)
        self.words = np.clip(np.log(self.rates / back.words), -_CLIP, _CLIP)
        self.marks = np.clip(np.log(self.mark_rates / back.marks), -_CLIP, _CLIP)
        self.lengths = np.clip(np.log(lengths / back.lengths), -_CLIP, _CLIP)

    def nearness(self, text: Tally) -> Floats:
        """(sentences,): to be added over any run of sentences."""
        words = np.bincount(text.word_sentence, weights=self.words[text.word_number], minlength=len(text.spans))
        near: Floats = words + text.marks @ self.marks + self.lengths[text.length_class]
        return near
