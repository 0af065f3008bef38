"""Marked text: all words of a post, and which of them the model shall not read, by which rule.
Knows spans of characters. Knows nothing of HTML, or of why a rule exists."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

_SPACES = re.compile(r"(?<=\S)[^\S\n]{2,}")
_SPACE_BEFORE_MARK = re.compile(r"[^\S\n]+([.,;:!?])(?=\s|$)")
_SPACE_AT_LINE_END = re.compile(r"[^\S\n]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, kw_only=True, order=True)
class Cut:
    """Characters `start` to `end` of a text are left out."""

    start: int
    end: int
    rule: str
    """Id of a rule (see `rules`)."""


@dataclass(frozen=True, kw_only=True)
class Marked:
    """A text and what is cut out of it."""

    text: str = ""
    """Paragraphs with one blank line between them."""
    cuts: tuple[Cut, ...] = ()
    """In order; none overlaps another."""

    def paragraphs(self) -> Iterator[tuple[int, str, bool]]:
        """Each paragraph: where it starts, its text, and whether all of it is cut."""
        start = 0
        for part in self.text.split("\n\n"):
            end = start + len(part)
            yield start, part, any(cut.start <= start and end <= cut.end for cut in self.cuts)
            start = end + 2

    def without(self, cuts: Iterable[Cut]) -> Marked:
        """With more cuts; where two overlap the one that is there stays."""
        kept = list(self.cuts)
        for cut in cuts:
            if cut.start < cut.end and not any(cut.start < other.end and other.start < cut.end for other in kept):
                kept.append(cut)
        return Marked(text=self.text, cuts=tuple(sorted(kept)))


def reading(text: str, cuts: Iterable[Cut], kept_rules: Collection[str] = ()) -> str:
    """What the model reads: `text` without the cuts, but for those whose rule the author has overruled."""
    parts = []
    start = 0
    for cut in sorted(cuts):
        if cut.rule not in kept_rules:
            parts.append(text[start : cut.start])
            start = max(start, cut.end)
    left = "".join([*parts, text[start:]])
    if not parts:
        return left.strip()
    left = _SPACE_BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", left))
    return _BLANK_LINES.sub("\n\n", _SPACE_AT_LINE_END.sub("", left)).strip()


def pieces(text: str, cuts: Iterable[Cut]) -> Iterator[tuple[str, str]]:
    """The text in pieces, each with the rule that cuts it or an empty string: what a page shows."""
    start = 0
    for cut in sorted(cuts):
        if start < cut.start:
            yield text[start : cut.start], ""
        if start < cut.end:
            yield text[max(start, cut.start) : cut.end], cut.rule
        start = max(start, cut.end)
    if start < len(text):
        yield text[start:], ""


class Builder:
    """Makes a marked text block by block."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._cuts: list[Cut] = []

    def block(self, runs: Iterable[tuple[str, str]], *, gap: str = "\n\n") -> None:
        """Add a paragraph of runs of text, each with its rule or an empty string, `gap` after what is before it."""
        found = [run for run in runs if run[0]]
        if not found:
            return
        if self._length:
            # Between two cut paragraphs of one rule the gap is cut as well: a page shows one piece.
            last = self._cuts[-1] if self._cuts else None
            if last and last.end == self._length and last.rule == found[0][1]:
                self._cuts[-1] = Cut(start=last.start, end=last.end + len(gap), rule=last.rule)
            self._add(gap)
        for text, rule in found:
            start = self._length
            self._add(text)
            if not rule:
                continue
            last = self._cuts[-1] if self._cuts else None
            if last and last.end == start and last.rule == rule:
                start = self._cuts.pop().start
            self._cuts.append(Cut(start=start, end=self._length, rule=rule))

    def done(self) -> Marked:
        """The text."""
        return Marked(text="".join(self._parts), cuts=tuple(self._cuts))

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)


def stripped(runs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Runs without white space at both ends and without empty ones."""
    found = [run for run in runs if run[0]]
    while found and not found[0][0].strip():
        found.pop(0)
    while found and not found[-1][0].strip():
        found.pop()
    if found:
        found[0] = (found[0][0].lstrip(), found[0][1])
        found[-1] = (found[-1][0].rstrip(), found[-1][1])
    return found
