"""Kinds of measures: what a measure is, and the two ways in which most are counted.
Knows facts and how shares are told. Knows no single measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.style.facts import Facts
from adapters.style.plainly import does, sets

SENTENCES: Final = "Sentences and paragraphs"
PUNCTUATION: Final = "Punctuation"
WORDS: Final = "Words"
PERSON: Final = "Person and tone"
OPENINGS: Final = "Openings and endings"
READING: Final = "Reading"
GROUPS: Final = (SENTENCES, PUNCTUATION, WORDS, PERSON, OPENINGS, READING)

PER_THOUSAND: Final = "per 1,000 words"
PERCENT: Final = "%"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One figure of a style."""

    key: str
    """Its name for programs; never changes its meaning."""
    group: str
    """One of `GROUPS`."""
    name: str
    """Its name for people, without the unit."""
    unit: str
    """What the value counts: `words`, `per 1,000 words`, `%`, `grade`."""
    of: Callable[[Facts], float | None]
    """The value, or None where nothing is there to measure on."""
    tell: Callable[[Facts, float], str]
    """A plain sentence to the author."""
    subject: str
    """What has more or less of it, in the plural: `Sentences`."""
    more: str = "more frequent"
    """How that is called when the figure is greater: `longer`."""
    less: str = "rarer"
    """When it is smaller."""
    english: bool = False
    """Whether it means something in English only."""
    foreign: bool = False
    """Whether English has a better one."""


def per_thousand(*names: str) -> Callable[[Facts], float | None]:
    """How many of all these stand among 1,000 words."""

    def of(facts: Facts) -> float | None:
        words = facts.counts["words"]
        return 1000 * sum(facts.counts[name] for name in names) / words if words else None

    return of


def percent(name: str, whole: str) -> Callable[[Facts], float | None]:
    """Which part of the whole it is."""

    def of(facts: Facts) -> float | None:
        return 100 * facts.counts[name] / facts.counts[whole] if facts.counts[whole] else None

    return of


def rate(
    key: str,
    name: str,
    facts: tuple[str, ...],
    verb: str,
    thing: str,
    subject: str,
    group: str = PUNCTUATION,
    english: bool = False,
) -> Measure:
    """A measure of how often something stands among words."""
    return Measure(
        key=key,
        group=group,
        name=name,
        unit=PER_THOUSAND,
        of=per_thousand(*facts),
        tell=lambda found, value: sets(verb, value, sum(found.counts[fact] for fact in facts), thing),
        subject=subject,
        english=english,
    )


def share(
    key: str,
    name: str,
    facts: tuple[str, str],
    phrase: tuple[str, str, str],
    subject: str,
    group: str = OPENINGS,
    english: bool = False,
) -> Measure:
    """A measure of how many things are so; `phrase` is verb, thing and rest: open, paragraph, with a question."""
    part, whole = facts
    verb, thing, rest = phrase
    return Measure(
        key=key,
        group=group,
        name=name,
        unit=PERCENT,
        of=percent(part, whole),
        tell=lambda found, value: does(verb, found.counts[part], found.counts[whole], thing, rest),
        subject=subject,
        english=english,
    )
