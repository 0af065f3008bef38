"""Measures: what a style is described by, each with its figure and its sentence.
Knows facts. Knows nothing of posts, of their spread or of evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.style.facts import DASHES, LONG_SENTENCE, LONG_WORD, SHORT_SENTENCE, WINDOW, Facts
from adapters.style.plainly import figure, portion, quantile, rate, some_of

SENTENCES: Final = "Sentences and paragraphs"
PUNCTUATION: Final = "Punctuation"
WORDS: Final = "Words"
PERSON: Final = "Person and tone"
OPENINGS: Final = "Openings and endings"
READING: Final = "Reading"
GROUPS: Final = (SENTENCES, PUNCTUATION, WORDS, PERSON, OPENINGS, READING)


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


def _per_thousand(name: str) -> Callable[[Facts], float | None]:
    def of(facts: Facts) -> float | None:
        words = facts.counts["words"]
        return 1000 * facts.counts[name] / words if words else None

    return of


def _percent(name: str, whole: str) -> Callable[[Facts], float | None]:
    def of(facts: Facts) -> float | None:
        return 100 * facts.counts[name] / facts.counts[whole] if facts.counts[whole] else None

    return of


def _mark(key: str, name: str, fact: str, mark: str, subject: str) -> Measure:
    return Measure(
        key=key,
        group=PUNCTUATION,
        name=name,
        unit="per 1,000 words",
        of=_per_thousand(fact),
        tell=lambda facts, value: f"You set {rate(value, facts.counts[fact], mark)}.",
        subject=subject,
    )


def _person(key: str, name: str, fact: str, word: str) -> Measure:
    return Measure(
        key=key,
        group=PERSON,
        name=name,
        unit="per 1,000 words",
        of=_per_thousand(fact),
        tell=lambda facts, value: f"You write {rate(value, facts.counts[fact], word)}.",
        subject=f"The words {word}",
        english=True,
    )


def _dashes(facts: Facts) -> float | None:
    words = facts.counts["words"]
    return 1000 * sum(facts.counts[dash] for dash in DASHES) / words if words else None


def _long_dashes(facts: Facts) -> float | None:
    dashes = sum(facts.counts[dash] for dash in DASHES)
    return 100 * facts.counts["long dash"] / dashes if dashes >= 5 else None


def _tell_sentence_length(facts: Facts, value: float) -> str:
    if len(facts.sentence_words) < 4:
        return f"Your sentences have {figure(value)} words, as far as so few can tell."
    low, high = (round(quantile(facts.sentence_words, share)) for share in (0.25, 0.75))
    if low == high:
        return f"Half of your sentences have {low} words each."
    return f"Half of your sentences have between {low} and {high} words."


def _tell_dash_kind(facts: Facts, value: float) -> str:
    kinds = {"long dash": "the long dash (—)", "short dash": "the short dash (–)", "hyphen dash": "a hyphen ( - )"}
    most = max(DASHES, key=lambda dash: facts.counts[dash])
    share = facts.counts[most] / sum(facts.counts[dash] for dash in DASHES)
    return f"For a dash you set {kinds[most]}{'' if share == 1 else f' {round(100 * share)} times in 100'}."


def _median(values: tuple[int, ...]) -> float | None:
    return quantile(values, 0.5) if values else None


def _coleman_liau(facts: Facts) -> float | None:
    words, sentences = sum(facts.sentence_words), len(facts.sentence_words)
    if not sentences:
        return None
    letters = 100 * facts.counts["letters"] / facts.counts["words"]
    return 0.0588 * letters - 0.296 * 100 * sentences / words - 15.8


def _lix(facts: Facts) -> float | None:
    if not facts.sentence_words:
        return None
    mean = sum(facts.sentence_words) / len(facts.sentence_words)
    return mean + 100 * facts.counts["long words"] / facts.counts["words"]


def _spread(facts: Facts) -> float | None:
    lengths = facts.sentence_words
    return quantile(lengths, 0.75) - quantile(lengths, 0.25) if len(lengths) >= 4 else None


def _rhythm(facts: Facts) -> float | None:
    return facts.counts["changes"] / facts.counts["neighbours"] if facts.counts["neighbours"] else None


def _variety(facts: Facts) -> float | None:
    return 100 * facts.counts["variety"] / facts.counts["windows"] / WINDOW if facts.counts["windows"] else None


MEASURES: Final = (
    Measure(
        key="sentence_length",
        group=SENTENCES,
        name="Sentence length",
        unit="words",
        of=lambda facts: _median(facts.sentence_words),
        tell=_tell_sentence_length,
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
        tell=lambda facts, value: (
            f"A quarter of your sentences have {round(quantile(facts.sentence_words, 0.75))} words or more, "
            f"another quarter {round(quantile(facts.sentence_words, 0.25))} or fewer."
        ),
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
        tell=lambda facts, value: (
            f"From one sentence to the next, the length changes by {figure(value)} words on average."
        ),
        subject="Changes of length from one sentence to the next",
        more="larger",
        less="smaller",
    ),
    Measure(
        key="short_sentences",
        group=SENTENCES,
        name="Short sentences",
        unit="%",
        of=_percent("short sentences", "sentences"),
        tell=lambda facts, value: f"You keep {portion(value / 100, 'sentence')} to {SHORT_SENTENCE} words or fewer.",
        subject="Short sentences",
    ),
    Measure(
        key="long_sentences",
        group=SENTENCES,
        name="Long sentences",
        unit="%",
        of=_percent("long sentences", "sentences"),
        tell=lambda facts, value: f"You let {portion(value / 100, 'sentence')} run to {LONG_SENTENCE} words or more.",
        subject="Long sentences",
    ),
    Measure(
        key="paragraph_length",
        group=SENTENCES,
        name="Paragraph length",
        unit="words",
        of=lambda facts: _median(facts.paragraph_words),
        tell=lambda facts, value: f"The middle one of your paragraphs, by length, has {figure(value)} words.",
        subject="Paragraphs",
        more="longer",
        less="shorter",
    ),
    Measure(
        key="paragraph_sentences",
        group=SENTENCES,
        name="Sentences in a paragraph",
        unit="sentences",
        of=lambda facts: (
            sum(facts.paragraph_sentences) / len(facts.paragraph_sentences) if facts.paragraph_sentences else None
        ),
        tell=lambda facts, value: f"Your paragraphs have {figure(value)} sentences on average.",
        subject="Paragraphs",
        more="longer",
        less="shorter",
    ),
    Measure(
        key="single_sentences",
        group=SENTENCES,
        name="Paragraphs of one sentence",
        unit="%",
        of=_percent("paragraphs of one sentence", "paragraphs"),
        tell=lambda facts, value: f"You give {portion(value / 100, 'paragraph')} a single sentence.",
        subject="Paragraphs of one sentence",
    ),
    _mark("comma", "Commas", "comma", "comma", "Commas"),
    _mark("semicolon", "Semicolons", "semicolon", "semicolon", "Semicolons"),
    _mark("colon", "Colons", "colon", "colon", "Colons"),
    Measure(
        key="dash",
        group=PUNCTUATION,
        name="Dashes",
        unit="per 1,000 words",
        of=_dashes,
        tell=lambda facts, value: f"You set {rate(value, sum(facts.counts[dash] for dash in DASHES), 'dash')}.",
        subject="Dashes",
    ),
    Measure(
        key="long_dash",
        group=PUNCTUATION,
        name="Long dashes among dashes",
        unit="%",
        of=_long_dashes,
        tell=_tell_dash_kind,
        subject="Long dashes (—) among all dashes",
    ),
    _mark("bracket", "Brackets", "bracket", "pair of brackets", "Brackets"),
    _mark("question", "Question marks", "question", "question mark", "Question marks"),
    _mark("exclamation", "Exclamation marks", "exclamation", "exclamation mark", "Exclamation marks"),
    _mark("ellipsis", "Ellipses", "ellipsis", "row of dots", "Rows of dots"),
    _mark("quotation", "Quotation marks", "quotation", "pair of quotation marks", "Quotation marks"),
    Measure(
        key="word_length",
        group=WORDS,
        name="Word length",
        unit="letters",
        of=lambda facts: facts.counts["letters"] / facts.counts["words"] if facts.counts["words"] else None,
        tell=lambda facts, value: f"Your words have {value:.1f} letters on average.",
        subject="Words",
        more="longer",
        less="shorter",
    ),
    Measure(
        key="long_words",
        group=WORDS,
        name="Long words",
        unit="%",
        of=_percent("long words", "words"),
        tell=lambda facts, value: f"You use {portion(value / 100, 'word')} of {LONG_WORD} letters or more.",
        subject="Long words",
    ),
    Measure(
        key="variety",
        group=WORDS,
        name="Variety of words",
        unit="%",
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
        unit="%",
        of=_percent("function words", "words"),
        tell=lambda facts, value: (
            f"Of 100 words you write, {round(value)} are little ones such as “the”, “of” and “but”."
        ),
        subject="Function words",
        english=True,
    ),
    Measure(
        key="contractions",
        group=PERSON,
        name="Contractions",
        unit="%",
        of=_percent("contracted", "contractible"),
        tell=lambda facts, value: (
            f"Where you could write “don’t” or “it’s”, you do so in {portion(value / 100, 'place')}."
            if 0 < value < 100
            else f"Where you could write “don’t” or “it’s”, you {'always' if value else 'never'} do."
        ),
        subject="Contractions",
        english=True,
    ),
    _person("first_person", "I, me, my", "i", "“I” or “my”"),
    _person("we", "We, us, our", "we", "“we” or “our”"),
    _person("second_person", "You, your", "you", "“you” or “your”"),
    _person("third_person", "He, she, they", "they", "“he”, “she” or “they”"),
    Measure(
        key="questions",
        group=PERSON,
        name="Questions",
        unit="%",
        of=_percent("questions", "sentences"),
        tell=lambda facts, value: f"You write {portion(value / 100, 'sentence')} as a question.",
        subject="Questions",
    ),
    Measure(
        key="exclamations",
        group=PERSON,
        name="Exclamations",
        unit="%",
        of=_percent("exclamations", "sentences"),
        tell=lambda facts, value: f"You end {portion(value / 100, 'sentence')} with an exclamation mark.",
        subject="Exclamations",
    ),
    Measure(
        key="paragraphs_opened_by_question",
        group=OPENINGS,
        name="Paragraphs opened by a question",
        unit="%",
        of=_percent("paragraphs opened by a question", "paragraphs"),
        tell=lambda facts, value: f"You open {portion(value / 100, 'paragraph')} with a question.",
        subject="Paragraphs that open with a question",
    ),
    Measure(
        key="paragraphs_opened_by_joiner",
        group=OPENINGS,
        name="Paragraphs opened by And, But, So",
        unit="%",
        of=_percent("paragraphs opened by a joiner", "paragraphs"),
        tell=lambda facts, value: f"You open {portion(value / 100, 'paragraph')} with “And”, “But”, “So” or the like.",
        subject="Paragraphs that open with “And”, “But” or “So”",
        english=True,
    ),
    Measure(
        key="sentences_opened_by_joiner",
        group=OPENINGS,
        name="Sentences opened by And, But, So",
        unit="%",
        of=_percent("sentences opened by a joiner", "sentences"),
        tell=lambda facts, value: f"You begin {portion(value / 100, 'sentence')} with “And”, “But”, “So” or the like.",
        subject="Sentences that begin with “And”, “But” or “So”",
        english=True,
    ),
    Measure(
        key="sentences_opened_by_i",
        group=OPENINGS,
        name="Sentences opened by I",
        unit="%",
        of=_percent("sentences opened by i", "sentences"),
        tell=lambda facts, value: f"You begin {portion(value / 100, 'sentence')} with “I” or “My”.",
        subject="Sentences that begin with “I” or “My”",
        english=True,
    ),
    Measure(
        key="posts_ended_by_question",
        group=OPENINGS,
        name="Posts ended by a question",
        unit="%",
        of=_percent("posts ended by a question", "posts of prose"),
        tell=lambda facts, value: f"You end {_posts(facts, 'posts ended by a question')} with a question.",
        subject="Posts that end with a question",
    ),
    Measure(
        key="posts_ended_by_one_sentence",
        group=OPENINGS,
        name="Posts ended by one sentence",
        unit="%",
        of=_percent("posts ended by one sentence", "posts of prose"),
        tell=lambda facts, value: (
            f"You end {_posts(facts, 'posts ended by one sentence')} with a paragraph of one sentence."
        ),
        subject="Posts that end with a paragraph of one sentence",
    ),
    Measure(
        key="coleman_liau",
        group=READING,
        name="Reading grade (Coleman-Liau)",
        unit="grade",
        of=_coleman_liau,
        tell=lambda facts, value: (
            f"By the Coleman-Liau index (1975), which counts letters and sentences, {_grade(value)}."
        ),
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
        of=_lix,
        tell=lambda facts, value: (
            f"Your LIX (Björnsson, 1968: long words and words per sentence) is {round(value)}, which is {_ease(value)}."
        ),
        subject="Texts",
        more="harder to read",
        less="easier to read",
    ),
)
BY_KEY: Final = {measure.key: measure for measure in MEASURES}


def _posts(facts: Facts, name: str) -> str:
    return some_of(facts.counts[name], facts.counts["posts of prose"], "post")


def _grade(value: float) -> str:
    if value < 1:
        return "a beginner can read you"
    if value > 16:
        return "you write for readers at a university"
    return f"you write for school grade {round(value)} (readers of about {round(value) + 5})"


def _ease(value: float) -> str:
    bounds = ((30, "very easy"), (40, "easy"), (50, "of middling difficulty"), (60, "difficult"))
    return next((name for bound, name in bounds if value < bound), "very difficult")
