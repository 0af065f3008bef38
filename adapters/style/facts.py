"""Facts: everything that is counted in a text, such that the facts of two texts can be added.
Knows what to count. Knows nothing of what the figures say of an author."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from adapters.style import lexicon
from adapters.style.reading import Reading, Span

MARKS: Final = {
    name: re.compile(pattern)
    for name, pattern in {
        "comma": r"[,،、，](?!\d)",
        "semicolon": r"[;；]",
        "colon": r"[:：](?=[\s\"'”’)\]*_]|\Z)",
        "bracket": r"(?<!\])\((?=\S)",
        "question": r"[?？]+",
        "exclamation": r"[!！]+(?!=)",
        "ellipsis": r"…|\.{3,}|\.(?: \.){2,}",
        "quotation": r"[“«„]|(?<!\w)‘(?=\w)|(?<![\w\"])\"(?=[^\s\"])",
        "long dash": r"[—―]|(?<!-)---?(?!-)(?=[ ]?\S)",
        "short dash": r"(?<=\s)–(?=\s)|(?<=[^\W\d_])–(?=[^\W\d_])",
        "hyphen dash": r"(?<=\S )-(?= \S)",
    }.items()
}
"""A bracket or a quotation counts once for both of its marks."""
DASHES: Final = ("long dash", "short dash", "hyphen dash")
WINDOW: Final = 100
"""Words of the moving window in which different words are counted (MATTR: Covington & McFall, 2010)."""
LONG_WORD: Final = 7
"""Letters; what readability formulas such as LIX (Björnsson, 1968) call long."""
SHORT_SENTENCE: Final = 5
LONG_SENTENCE: Final = 40
_STRAIGHT: Final = str.maketrans("‘’", "''")


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What was counted in one or several texts."""

    counts: Counter[str]
    """Name -> how often."""
    sentence_words: tuple[int, ...]
    """Of each sentence of prose."""
    paragraph_words: tuple[int, ...]
    """Of each paragraph of prose."""
    paragraph_sentences: tuple[int, ...]
    """The same paragraphs."""


def gather(reading: Reading, language: str | None) -> Facts:
    """Count everything in one text; what only English has is counted there alone."""
    counts: Counter[str] = Counter(words=len(reading.words), posts=1)
    for name, mark in MARKS.items():
        counts[name] = sum(1 for _ in mark.finditer(reading.text))
    counts["letters"] = sum(len(word) for word in reading.words)
    counts["long words"] = sum(len(word) >= LONG_WORD for word in reading.words)
    counts["variety"], counts["windows"] = _variety(reading.words)
    if language == "en":
        counts.update(_english(reading))
    sentences = list(reading.sentences)
    lengths = tuple(sentence.words for sentence in sentences)
    counts["sentences"] = len(lengths)
    counts["short sentences"] = sum(length <= SHORT_SENTENCE for length in lengths)
    counts["long sentences"] = sum(length >= LONG_SENTENCE for length in lengths)
    counts["questions"] = sum(asks(reading, sentence) for sentence in sentences)
    counts["exclamations"] = sum(exclaims(reading, sentence) for sentence in sentences)
    paragraphs = list(reading.prose)
    counts["paragraphs"] = len(paragraphs)
    for paragraph in paragraphs:
        sizes = [sentence.words for sentence in paragraph.sentences]
        counts["changes"] += sum(abs(one - other) for one, other in pairwise(sizes))
        counts["neighbours"] += len(sizes) - 1
        counts["paragraphs of one sentence"] += len(sizes) == 1
        counts["paragraphs opened by a question"] += asks(reading, paragraph.sentences[0])
        counts["paragraphs opened by a joiner"] += joins(reading, paragraph.sentences[0])
    if paragraphs:
        counts["posts opened by a question"] = int(asks(reading, paragraphs[0].sentences[0]))
        counts["posts ended by a question"] = int(asks(reading, paragraphs[-1].sentences[-1]))
        counts["posts ended by one sentence"] = int(len(paragraphs[-1].sentences) == 1 and len(paragraphs) > 1)
        counts["posts of prose"] = 1
    return Facts(
        counts=counts,
        sentence_words=lengths,
        paragraph_words=tuple(paragraph.words for paragraph in paragraphs),
        paragraph_sentences=tuple(len(paragraph.sentences) for paragraph in paragraphs),
    )


def total(facts: Iterable[Facts]) -> Facts:
    """The facts of several texts together."""
    counts: Counter[str] = Counter()
    sentences: list[int] = []
    words: list[int] = []
    per_paragraph: list[int] = []
    for each in facts:
        counts.update(each.counts)
        sentences += each.sentence_words
        words += each.paragraph_words
        per_paragraph += each.paragraph_sentences
    return Facts(
        counts=counts,
        sentence_words=tuple(sentences),
        paragraph_words=tuple(words),
        paragraph_sentences=tuple(per_paragraph),
    )


def asks(reading: Reading, sentence: Span) -> bool:
    """Whether a sentence ends with a question mark, quotation marks aside."""
    return _last(reading, sentence) in ("?", "？")


def exclaims(reading: Reading, sentence: Span) -> bool:
    """Whether a sentence ends with an exclamation mark."""
    return _last(reading, sentence) in ("!", "！")


def joins(reading: Reading, sentence: Span) -> bool:
    """Whether a sentence begins with And, But, So, Or, Yet or Nor."""
    return reading.words[sentence.first] in lexicon.JOINERS


def _last(reading: Reading, sentence: Span) -> str:
    return reading.text[max(sentence.start, sentence.end - 8) : sentence.end].rstrip("\"'”’»)]*_ ")[-1:]


def _english(reading: Reading) -> Counter[str]:
    counts: Counter[str] = Counter()
    for word, times in Counter(reading.words).items():
        counts["function words"] += times * (word in lexicon.FUNCTION_WORDS)
        counts["i"] += times * (word in lexicon.I)
        counts["we"] += times * (word in lexicon.WE)
        counts["you"] += times * (word in lexicon.YOU)
        counts["they"] += times * (word in lexicon.THEY)
    plain = reading.text.lower().translate(_STRAIGHT)
    counts["contracted"] = sum(1 for _ in lexicon.CONTRACTED.finditer(plain))
    counts["contractible"] = counts["contracted"] + sum(1 for _ in lexicon.CONTRACTIBLE.finditer(plain))
    for sentence in reading.sentences:
        counts["sentences opened by a joiner"] += joins(reading, sentence)
        counts["sentences opened by i"] += reading.words[sentence.first] in lexicon.I
    return counts


def _variety(words: tuple[str, ...]) -> tuple[int, int]:
    """Different words in every window of 100 together, and how many windows; none in a shorter text."""
    if len(words) < WINDOW:
        return 0, 0
    inside = Counter(words[:WINDOW])
    different = len(inside)
    found = different
    for leaves, enters in zip(words, words[WINDOW:], strict=False):
        inside[enters] += 1
        different += inside[enters] == 1
        inside[leaves] -= 1
        different -= inside[leaves] == 0
        found += different
    return found, len(words) - WINDOW + 1
