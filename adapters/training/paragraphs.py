"""Where a post may be cut: paragraphs, and the sentences of a paragraph that is too long for a window.
Knows positions in text. Knows nothing of prompts or posts' records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_SENTENCE = re.compile(r".+?(?:[.!?…。！？]+[\"'”’)\]]*(?=\s)|$)\s*", re.DOTALL)  # with the space after it
_WORD = re.compile(r"\S+\s*|\s+")
SEPARATOR = "\n\n"

PLAIN: Final = "plain-1"
"""Name of the rule that `plain` is; changes when its result does."""

Cut = Literal["paragraphs", "sentences", "words", "characters"]
CUTS: Final[tuple[Cut, ...]] = ("paragraphs", "sentences", "words", "characters")
"""Where a piece may begin and end, the finest last: each is resorted to where the one before it leaves too much."""

_FINER: Final[tuple[tuple[Cut, re.Pattern[str]], ...]] = (("sentences", _SENTENCE), ("words", _WORD))

Count = Callable[[str], int]
"""How many tokens a text has."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A run of text that is never cut: a paragraph, or part of an over-long one."""

    paragraph: int
    """Index of its paragraph in the post."""
    start: int
    """Position of its first character in the post's text."""
    end: int
    """Position after its last character."""
    tokens: int
    """How many tokens it has by itself."""
    cut: Cut
    """What it was cut at."""


def plain(text: str) -> str:
    """The text as a voice reads it: Unix line ends, one blank line between paragraphs, nothing around them."""
    unix = text.replace("\r\n", "\n").replace("\r", "\n")
    paragraphs = (part.strip("\n").rstrip() for part in _BLANK_LINES.split(unix))
    return SEPARATOR.join(part for part in paragraphs if part).strip()


def pieces(text: str, count: Count, most: int) -> list[Piece]:
    """Cut plain `text` into pieces of at most `most` tokens: paragraphs, else sentences, words, characters."""
    found = []
    start = 0
    for index, paragraph in enumerate(text.split(SEPARATOR)):
        for first, last, cut in _fit(paragraph, count, most):
            size = count(paragraph[first:last])
            found.append(Piece(paragraph=index, start=start + first, end=start + last, tokens=size, cut=cut))
        start += len(paragraph) + len(SEPARATOR)
    return found


def tail(text: str, end: int, count: Count, most: int) -> int:
    """Where the last sentences of `text` before `end` begin that have at most `most` tokens together.

    Returns the end itself, spaces before it left aside, when not even one sentence fits.
    """
    near = text[max(0, end - most * 16) : end].rstrip()
    cut = max(0, end - most * 16) + len(near)
    spent = 0
    for sentence in reversed(list(_SENTENCE.finditer(near))):
        spent += count(sentence.group())
        if spent > most:
            break
        cut -= len(sentence.group())
    return cut


def head(text: str, count: Count, most: int) -> int:
    """Where the first sentences of `text` end that have at most `most` tokens together; 0 when not even one fits."""
    end = spent = 0
    for sentence in _SENTENCE.finditer(text[: most * 16]):
        spent += count(sentence.group())
        if spent > most:
            break
        end = sentence.start() + len(sentence.group().rstrip())
    return end


def _fit(text: str, count: Count, most: int, cut: Cut = "paragraphs") -> Iterator[tuple[int, int, Cut]]:
    # Spans of `text`, each as long as fits, and what they are cut at. A text of many megabytes is never counted whole:
    # 16 characters a token are more than any language has.
    if len(text) <= most * 16 and count(text) <= most:
        yield 0, len(text), cut
        return
    parts, cut = _parts(text)
    yield from _gather(text, parts, count, most, cut)


def _parts(text: str) -> tuple[list[tuple[int, int]], Cut]:
    for cut, pattern in _FINER:
        if len(parts := [match.span() for match in pattern.finditer(text)]) > 1:
            return parts, cut
    half = len(text) // 2
    return [(0, half), (half, len(text))], "characters"


def _gather(
    text: str, parts: list[tuple[int, int]], count: Count, most: int, cut: Cut
) -> Iterator[tuple[int, int, Cut]]:
    start = end = spent = 0
    for first, last in parts:
        tokens = count(text[first:last]) if last - first <= most * 16 else most + 1
        if spent + tokens > most and end > start:
            yield start, end, cut
            start, spent = end, 0
        if tokens > most:
            for inner_first, inner_last, inner_cut in _fit(text[first:last], count, most, cut):
                yield first + inner_first, first + inner_last, inner_cut
            start = last
        else:
            spent += tokens
        end = last
    if end > start:
        yield start, end, cut
