"""Measures of sentences and paragraphs: how long they are and how much that changes.
Knows facts. Knows nothing of what stands in a sentence."""

from __future__ import annotations

from typing import Final

from adapters.style.facts import LONG_SENTENCE, SHORT_SENTENCE, Facts
from adapters.style.measures.kinds import SENTENCES, Measure, share
from adapters.style.plainly import figure, number, quantile

FEW: Final = 4
"""Of fewer sentences there are no quarters."""


def _median(values: tuple[int, ...]) -> float | None:
    return quantile(values, 0.5) if values else None


def _quarters(facts: Facts) -> tuple[int, int]:
    return round(quantile(facts.sentence_words, 0.25)), round(quantile(facts.sentence_words, 0.75))


def _spread(facts: Facts) -> float | None:
    lengths = facts.sentence_words
    return quantile(lengths, 0.75) - quantile(lengths, 0.25) if len(lengths) >= FEW else None


def _rhythm(facts: Facts) -> float | None:
    return facts.counts["changes"] / facts.counts["neighbours"] if facts.counts["neighbours"] else None


def _mean_sentences(facts: Facts) -> float | None:
    sizes = facts.paragraph_sentences
    return sum(sizes) / len(sizes) if sizes else None


def _tell_length(facts: Facts, value: float) -> str:
    if len(facts.sentence_words) < FEW:
        return f"Your sentences have about {figure(value)} words, as far as so few can tell."
    low, high = _quarters(facts)
    between = f"{low} words each" if low == high else f"between {low} and {high} words"
    return f"Half of your sentences have {between}."


def _tell_spread(facts: Facts, value: float) -> str:
    low, high = _quarters(facts)
    return f"A quarter of your sentences have {high} words or more, another quarter {low} or fewer."


def _tell_rhythm(facts: Facts, value: float) -> str:
    if not value:
        return "Within a paragraph, your sentences are all of one length."
    words = "one word" if figure(value) == "1" else f"{figure(value)} words"
    return f"From one sentence to the next, the length changes by {words} on average."


def _tell_sentences(facts: Facts, value: float) -> str:
    return f"Your paragraphs have {'one sentence' if value == 1 else figure(value) + ' sentences'} on average."


SENTENCE_MEASURES: Final = (
    Measure(
        key="sentence_length",
        group=SENTENCES,
        name="Sentence length",
        unit="words",
        of=lambda facts: _median(facts.sentence_words),
        tell=_tell_length,
        subject="Sentences",
        more="longer",
        less="shorter",
    ),
    Measure(
        key="sentence_spread",
        group=SENTENCES,
        name="Spread of sentence lengths",
        unit="words",
        of=_spread,
        tell=_tell_spread,
        subject="Lengths of sentences",
        more="more spread out",
        less="closer together",
    ),
    Measure(
        key="rhythm",
        group=SENTENCES,
        name="Rhythm",
        unit="words",
        of=_rhythm,
        tell=_tell_rhythm,
        subject="Changes of length from one sentence to the next",
        more="larger",
        less="smaller",
    ),
    share(
        "short_sentences",
        "Short sentences",
        ("short sentences", "sentences"),
        ("keep", "sentence", f"to {number(SHORT_SENTENCE)} words or fewer"),
        "Short sentences",
        SENTENCES,
    ),
    share(
        "long_sentences",
        "Long sentences",
        ("long sentences", "sentences"),
        ("let", "sentence", f"run to {LONG_SENTENCE} words or more"),
        "Long sentences",
        SENTENCES,
    ),
    Measure(
        key="paragraph_length",
        group=SENTENCES,
        name="Paragraph length",
        unit="words",
        of=lambda facts: _median(facts.paragraph_words),
        tell=lambda facts, value: f"Half of your paragraphs have {figure(value)} words or more.",
        subject="Paragraphs",
        more="longer",
        less="shorter",
    ),
    Measure(
        key="paragraph_sentences",
        group=SENTENCES,
        name="Sentences in a paragraph",
        unit="sentences",
        of=_mean_sentences,
        tell=_tell_sentences,
        subject="Paragraphs",
        more="longer",
        less="shorter",
    ),
    share(
        "single_sentences",
        "Paragraphs of one sentence",
        ("paragraphs of one sentence", "paragraphs"),
        ("give", "paragraph", "a single sentence"),
        "Paragraphs of one sentence",
        SENTENCES,
    ),
)
