"""Reading: a text's paragraphs, sentences and words, and where each stands.
Knows how they are told apart. Knows nothing of what is measured on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import sentencex

_BLANK_LINES = re.compile(r"(\n[^\S\n]*\n\s*)")
_WORD = re.compile(r"[^\W_]+(?:['’‑-][^\W_]+)*")
_STRAIGHT: Final = str.maketrans("‘’‑", "''-")
_LIST = re.compile(r"(?:[-*•+]|#+|\d{1,3}[.)])\s")
_ENDED = re.compile(r"[.!?…:;,。！？][\"'”’»)\]*_]*\Z")
_HEADING_WORDS: Final = 12
"""A paragraph that ends without a mark is no heading when it is longer: verse, or a quotation's introduction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A sentence or a paragraph."""

    start: int
    """Position of its first character in the text."""
    end: int
    """Position after its last one; no space is around it."""
    first: int
    """Index of its first word."""
    last: int
    """Index after its last one."""

    @property
    def words(self) -> int:
        """How many."""
        return self.last - self.first


@dataclass(frozen=True, kw_only=True, slots=True)
class Paragraph(Span):
    """A paragraph of prose, or a line that only looks like one."""

    sentences: tuple[Span, ...]
    """Those with words, in their order."""
    prose: bool
    """No heading and no list, whose lengths and first words say nothing of how somebody writes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A text taken apart."""

    text: str
    """As it was given."""
    words: tuple[str, ...]
    """In small letters with straight apostrophes; what a hyphen joins is one word."""
    places: tuple[tuple[int, int], ...]
    """Where each word stands in the text."""
    paragraphs: tuple[Paragraph, ...]
    """Those with words."""

    @property
    def prose(self) -> Iterator[Paragraph]:
        """The paragraphs that are no headings and no lists."""
        return (paragraph for paragraph in self.paragraphs if paragraph.prose)

    @property
    def sentences(self) -> Iterator[Span]:
        """Of prose."""
        return (sentence for paragraph in self.prose for sentence in paragraph.sentences)


def read(text: str, language: str = "en") -> Reading:
    """Take `text` apart; the language decides where abbreviations end no sentence."""
    found = [(match.group().lower().translate(_STRAIGHT), match.span()) for match in _WORD.finditer(text)]
    words, places = tuple(word for word, _ in found), tuple(place for _, place in found)
    paragraphs, word = [], 0
    for start, end in _paragraphs(text):
        sentences, first = [], word
        for opens, closes in _sentences(text, start, end, language):
            before = word
            while word < len(places) and places[word][0] < closes:
                word += 1
            if word > before:
                sentences.append(Span(start=opens, end=closes, first=before, last=word))
        if sentences:
            prose = _is_prose(text, start, end, word - first)
            paragraphs.append(
                Paragraph(start=start, end=end, first=first, last=word, sentences=tuple(sentences), prose=prose)
            )
    return Reading(text=text, words=words, places=places, paragraphs=tuple(paragraphs))


def pieces(reading: Reading, words: int) -> list[tuple[int, int]]:
    """Spans of the text of about `words` words each, cut between sentences; a shorter rest joins the last."""
    sentences = [sentence for paragraph in reading.paragraphs for sentence in paragraph.sentences]
    if not sentences:
        return []
    starts, ends = [sentences[0]], []
    for before, sentence in pairwise(sentences):
        have, left = sentence.first - starts[-1].first, len(reading.words) - sentence.first
        if have >= words and left >= words * 2 / 3:
            starts.append(sentence)
            ends.append(before)
    return [(first.start, last.end) for first, last in zip(starts, [*ends, sentences[-1]], strict=True)]


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for part in _BLANK_LINES.split(text):
        inside = part.strip()
        if inside:
            first = start + part.index(inside)
            yield first, first + len(inside)
        start += len(part)


def _sentences(text: str, start: int, end: int, language: str) -> Iterator[tuple[int, int]]:
    # A lone surrogate is no text for the library; each is one character, so the places stay what they are.
    clean = text[start:end].encode("utf-8", "replace").decode()
    at = 0
    for part in sentencex.segment(language, clean):
        inside = part.strip()
        first = clean.find(inside, at) if inside else -1
        if first >= 0:
            at = first + len(inside)
            yield start + first, start + at


def _is_prose(text: str, start: int, end: int, words: int) -> bool:
    if _LIST.match(text, start):
        return False
    return words > _HEADING_WORDS or bool(_ENDED.search(text[max(start, end - 20) : end]))
