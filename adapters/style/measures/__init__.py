"""Measures: what a style is described by, each with its figure and its sentence.
Knows facts. Knows nothing of posts, of their spread or of evidence."""

from __future__ import annotations

from typing import Final

from adapters.style.measures.kinds import GROUPS, WORDS, Measure
from adapters.style.measures.marks import MARK_MEASURES
from adapters.style.measures.openings import OPENING_MEASURES
from adapters.style.measures.sentences import SENTENCE_MEASURES
from adapters.style.measures.words import PERSON_MEASURES, READING_MEASURES, WORD_MEASURES

__all__ = ["BY_KEY", "GROUPS", "MEASURES", "WORDS", "Measure", "suitable"]

MEASURES: Final[tuple[Measure, ...]] = (
    *SENTENCE_MEASURES,
    *MARK_MEASURES,
    *WORD_MEASURES,
    *PERSON_MEASURES,
    *OPENING_MEASURES,
    *READING_MEASURES,
)
BY_KEY: Final = {measure.key: measure for measure in MEASURES}


def suitable(language: str | None) -> tuple[Measure, ...]:
    """Those that mean something in a language; None for an unknown one."""
    return tuple(measure for measure in MEASURES if not (measure.foreign if language == "en" else measure.english))
