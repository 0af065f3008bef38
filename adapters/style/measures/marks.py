"""Measures of punctuation: how often an author sets each mark.
Knows facts. Knows nothing of words."""

from __future__ import annotations

from typing import Final

from adapters.style.facts import DASHES, Facts
from adapters.style.measures.kinds import PERCENT, PUNCTUATION, Measure, rate

DASHES_AT_LEAST: Final = 5
"""Of fewer, the author's kind cannot be told."""
_KINDS: Final = {"long dash": "the long dash (—)", "short dash": "the short dash (–)", "hyphen dash": "a hyphen ( - )"}


def _dashes(facts: Facts) -> int:
    return sum(facts.counts[dash] for dash in DASHES)


def _long_dashes(facts: Facts) -> float | None:
    return 100 * facts.counts["long dash"] / _dashes(facts) if _dashes(facts) >= DASHES_AT_LEAST else None


def _tell_kind(facts: Facts, value: float) -> str:
    most = max(DASHES, key=lambda dash: facts.counts[dash])
    share = round(100 * facts.counts[most] / _dashes(facts))
    return f"For a dash you set {_KINDS[most]}{', always' if share == 100 else f' {share} times in 100'}."


MARK_MEASURES: Final = (
    rate("comma", "Commas", ("comma",), "set", "comma", "Commas"),
    rate("semicolon", "Semicolons", ("semicolon",), "set", "semicolon", "Semicolons"),
    rate("colon", "Colons", ("colon",), "set", "colon", "Colons"),
    rate("dash", "Dashes", DASHES, "set", "dash", "Dashes"),
    Measure(
        key="long_dash",
        group=PUNCTUATION,
        name="Long dashes among dashes",
        unit=PERCENT,
        of=_long_dashes,
        tell=_tell_kind,
        subject="Long dashes (—) among all dashes",
    ),
    rate("bracket", "Brackets", ("bracket",), "set", "pair of brackets", "Brackets"),
    rate("question", "Question marks", ("question",), "set", "question mark", "Question marks"),
    rate("exclamation", "Exclamation marks", ("exclamation",), "set", "exclamation mark", "Exclamation marks"),
    rate("ellipsis", "Ellipses", ("ellipsis",), "set", "row of dots", "Rows of dots"),
    rate("quotation", "Quotation marks", ("quotation",), "set", "pair of quotation marks", "Quotation marks"),
)
