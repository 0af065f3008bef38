"""Measures of words: how long, how varied, how many of them little; whom they speak of; how hard they are to read.
Knows facts and readability formulas. Knows nothing of single favourite words."""

from __future__ import annotations

from typing import Final

from adapters.style.facts import LONG_WORD, WINDOW, Facts
from adapters.style.measures.kinds import PERCENT, PERSON, READING, WORDS, Measure, percent, rate, share
from adapters.style.plainly import number, portion

COLEMAN_LIAU_WORDS: Final = 100
"""The index is defined on samples of 100 words; of fewer it says nothing."""
_EASE: Final = ((30, "very easy"), (40, "easy"), (50, "of middling difficulty"), (60, "difficult"))


def _word_length(facts: Facts) -> float | None:
    return facts.counts["letters"] / facts.counts["words"] if facts.counts["words"] else None


def _variety(facts: Facts) -> float | None:
    return 100 * facts.counts["variety"] / facts.counts["windows"] / WINDOW if facts.counts["windows"] else None


def _tell_contractions(facts: Facts, value: float) -> str:
    made, could = facts.counts["contracted"], facts.counts["contractible"]
    if not made:
        return "You never contract: “do not” and “it is” stay whole."
    return f"You make {portion(made / could, 'possible contraction')}, such as “don’t” or “it’s”."


def coleman_liau(facts: Facts) -> float | None:
    """Grade of a school in the United States: 0.0588 L - 0.296 S - 15.8, with L letters and S sentences per 100 words
    (Coleman & Liau, "A computer readability formula designed for machine scoring", 1975)."""
    words, sentences = sum(facts.sentence_words), len(facts.sentence_words)
    if words < COLEMAN_LIAU_WORDS:
        return None
    return 0.0588 * 100 * facts.counts["letters"] / facts.counts["words"] - 0.296 * 100 * sentences / words - 15.8


def lix(facts: Facts) -> float | None:
    """Words per sentence and percent of words of seven letters or more, added (Björnsson, "Läsbarhet", 1968)."""
    if sum(facts.sentence_words) < COLEMAN_LIAU_WORDS:
        return None
    mean = sum(facts.sentence_words) / len(facts.sentence_words)
    return mean + 100 * facts.counts["long words"] / facts.counts["words"]


def _tell_grade(facts: Facts, value: float) -> str:
    grade = f"school grade {round(value)}, readers of about {round(value) + 5} years"
    told = "beginners" if value < 1 else "readers at a university" if value > 13 else grade
    return f"By the Coleman-Liau index (1975), which counts letters and sentences, you write for {told}."


def _tell_lix(facts: Facts, value: float) -> str:
    ease = next((name for bound, name in _EASE if value < bound), "very difficult")
    return f"Your LIX (Björnsson, 1968: words per sentence and long words) is {round(value)}, which is {ease}."


WORD_MEASURES: Final = (
    Measure(
        key="word_length",
        group=WORDS,
        name="Word length",
        unit="letters",
        of=_word_length,
        tell=lambda facts, value: f"Your words have {value:.1f} letters on average.",
        subject="Words",
        more="longer",
        less="shorter",
    ),
    share(
        "long_words",
        "Long words",
        ("long words", "words"),
        ("use", "word", f"of {number(LONG_WORD)} letters or more"),
        "Long words",
        WORDS,
    ),
    Measure(
        key="variety",
        group=WORDS,
        name="Variety of words",
        unit=PERCENT,
        of=_variety,
        tell=lambda facts, value: (
            f"Of {WINDOW} words in a row, {round(value)} are different ones "
            "(moving-average type-token ratio; Covington and McFall, 2010)."
        ),
        subject="Words",
        more="more varied",
        less="less varied",
    ),
    Measure(
        key="function_words",
        group=WORDS,
        name="Function words",
        unit=PERCENT,
        of=percent("function words", "words"),
        tell=lambda facts, value: f"Of 100 words you write, {round(value)} are little ones, such as “the” and “but”.",
        subject="Function words",
        english=True,
    ),
)
PERSON_MEASURES: Final = (
    Measure(
        key="contractions",
        group=PERSON,
        name="Contractions",
        unit=PERCENT,
        of=percent("contracted", "contractible"),
        tell=_tell_contractions,
        subject="Contractions",
        english=True,
    ),
    rate("first_person", "I, me, my", ("i",), "write", "“I” or “my”", "The words “I” or “my”", PERSON, True),
    rate("we", "We, us, our", ("we",), "write", "“we” or “our”", "The words “we” or “our”", PERSON, True),
    rate("second_person", "You, your", ("you",), "write", "“you” or “your”", "The words “you” or “your”", PERSON, True),
    rate(
        "third_person",
        "He, she, they",
        ("they",),
        "write",
        "“he”, “she” or “they”",
        "The words “he”, “she” or “they”",
        PERSON,
        True,
    ),
    share(
        "questions",
        "Questions",
        ("questions", "sentences"),
        ("write", "sentence", "as a question"),
        "Questions",
        PERSON,
    ),
    share(
        "exclamations",
        "Exclamations",
        ("exclamations", "sentences"),
        ("end", "sentence", "with an exclamation mark"),
        "Exclamations",
        PERSON,
    ),
)
READING_MEASURES: Final = (
    Measure(
        key="coleman_liau",
        group=READING,
        name="Reading grade (Coleman-Liau)",
        unit="grade",
        of=coleman_liau,
        tell=_tell_grade,
        subject="Texts",
        more="harder to read",
        less="easier to read",
        english=True,
    ),
    Measure(
        key="lix",
        group=READING,
        name="Readability (LIX)",
        unit="points",
        of=lix,
        tell=_tell_lix,
        subject="Texts",
        more="harder to read",
        less="easier to read",
        foreign=True,
    ),
)
