"""Evidence: an author's own sentences that show what a measure says.
Knows readings and which sentences show what. Knows nothing of how anything is measured."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.style import lexicon
from adapters.style.facts import DASHES, LONG_SENTENCE, LONG_WORD, MARKS, SHORT_SENTENCE, asks, exclaims, joins
from adapters.style.plainly import quantile
from adapters.style.reading import Paragraph, Reading

LONGEST: Final = 240
"""Characters; of a longer sentence a part is shown."""
_STRAIGHT: Final = str.maketrans("‘’", "''")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A sentence, or part of one, as the author wrote it."""

    text: str
    """The post's text from `start` to `end`."""
    post: int
    """Key of the post."""
    start: int
    """Position of its first character in the post's text."""
    end: int
    """Position after its last one."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"text": self.text, "post": self.post, "start": self.start, "end": self.end}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Evidence:
        """The inverse."""
        return cls(text=kept["text"], post=kept["post"], start=kept["start"], end=kept["end"])


@dataclass(frozen=True, slots=True)
class Place:
    """A sentence of prose in its paragraph and its post."""

    reading: Reading
    """The post."""
    paragraph: Paragraph
    """Its paragraph."""
    number: int
    """Which sentence of the paragraph."""
    closes: bool
    """Whether the paragraph is the post's last one."""

    @property
    def text(self) -> str:
        """The sentence."""
        return self.reading.text[
            self.paragraph.sentences[self.number].start : self.paragraph.sentences[self.number].end
        ]

    @property
    def words(self) -> tuple[str, ...]:
        """Its words."""
        span = self.paragraph.sentences[self.number]
        return self.reading.words[span.first : span.last]

    @property
    def opens(self) -> bool:
        """Whether it is the first of the post's prose."""
        return self.number == 0 and self.paragraph is next(iter(self.reading.prose))

    def share(self, words: frozenset[str]) -> float:
        """Which part of its words these are."""
        return sum(word in words for word in self.words) / len(self.words)


Shows = Callable[[Place, float], bool]
"""Whether a sentence shows a measure whose value is given."""


def _mark(*names: str) -> Shows:
    return lambda place, _: any(MARKS[name].search(place.text) for name in names)


def _says(words: frozenset[str]) -> Shows:
    return lambda place, _: not words.isdisjoint(place.words)


def _asks(place: Place, _: float = 0) -> bool:
    return asks(place.reading, place.paragraph.sentences[place.number])


def _joins(place: Place, _: float = 0) -> bool:
    return joins(place.reading, place.paragraph.sentences[place.number])


def _first(place: Place) -> bool:
    return place.number == 0


def _last(place: Place) -> bool:
    return place.closes and place.number == len(place.paragraph.sentences) - 1


def _steps(place: Place, value: float) -> bool:
    sentences = place.paragraph.sentences
    if place.number + 1 == len(sentences):
        return False
    return abs(abs(len(place.words) - sentences[place.number + 1].words) - value) <= 1


def _single(place: Place, _: float = 0) -> bool:
    return len(place.paragraph.sentences) == 1


SHOWS: Final[Mapping[str, Shows]] = {
    "sentence_length": lambda place, value: abs(len(place.words) - value) <= 1,
    "rhythm": _steps,
    "paragraph_length": lambda place, value: _first(place) and abs(place.paragraph.words - value) <= 0.15 * value,
    "paragraph_sentences": lambda place, value: _first(place) and len(place.paragraph.sentences) == round(value),
    "word_length": lambda place, value: abs(sum(map(len, place.words)) / len(place.words) - value) <= 0.2,
    "function_words": lambda place, value: abs(100 * place.share(lexicon.FUNCTION_WORDS) - value) <= 5,
    "short_sentences": lambda place, _: 1 < len(place.words) <= SHORT_SENTENCE,
    "long_sentences": lambda place, _: len(place.words) >= LONG_SENTENCE,
    "single_sentences": _single,
    "comma": _mark("comma"),
    "semicolon": _mark("semicolon"),
    "colon": _mark("colon"),
    "dash": _mark(*DASHES),
    "long_dash": _mark(*DASHES),
    "bracket": _mark("bracket"),
    "question": _mark("question"),
    "exclamation": _mark("exclamation"),
    "ellipsis": _mark("ellipsis"),
    "quotation": _mark("quotation"),
    "long_words": lambda place, _: any(len(word) > LONG_WORD for word in place.words),
    "contractions": lambda place, _: bool(lexicon.CONTRACTED.search(place.text.lower().translate(_STRAIGHT))),
    "first_person": _says(lexicon.I),
    "we": _says(lexicon.WE),
    "second_person": _says(lexicon.YOU),
    "third_person": _says(lexicon.THEY),
    "questions": _asks,
    "exclamations": lambda place, _: exclaims(place.reading, place.paragraph.sentences[place.number]),
    "paragraphs_opened_by_question": lambda place, _: _first(place) and _asks(place),
    "paragraphs_opened_by_joiner": lambda place, _: _first(place) and _joins(place),
    "sentences_opened_by_joiner": _joins,
    "sentences_opened_by_i": lambda place, _: place.words[0] in lexicon.I,
    "posts_opened_by_question": lambda place, _: place.opens and _asks(place),
    "posts_ended_by_question": lambda place, _: _last(place) and _asks(place),
    "posts_ended_by_one_sentence": lambda place, _: _last(place) and _single(place),
}
"""Key of a measure -> whether a sentence shows it; another measure shows in no single sentence."""


def places(reading: Reading) -> list[Place]:
    """Every sentence of prose of a post."""
    paragraphs = list(reading.prose)
    return [
        Place(reading, paragraph, number, paragraph is paragraphs[-1])
        for paragraph in paragraphs
        for number in range(len(paragraph.sentences))
    ]


class Shelf:
    """All sentences of an author, to choose from."""

    def __init__(self, readings: Mapping[int, Reading]) -> None:
        """Key of a post -> the post."""
        self._places = {key: places(reading) for key, reading in readings.items()}
        lengths = [len(place.words) for found in self._places.values() for place in found]
        self._usual = quantile(lengths, 0.5)
        keys = list(self._places)
        # The middle of the list, then the middles of its halves, and so on: from all over, and always the same.
        self._order = sorted(keys, key=dict(zip(keys, _scattered(len(keys)), strict=True)).__getitem__)

    def show(
        self, shows: Callable[[Place], bool], *, most: int = 3, around: re.Pattern[str] | None = None, turn: int = 0
    ) -> tuple[Evidence, ...]:
        """Up to `most` sentences from different posts that show it, near to the author's usual length.

        Of one that is too long, a part is shown: about the first match of `around`, or its beginning. `turn` is the
        post to begin at, so that not everything is shown by the same sentences.
        """
        found: list[tuple[bool, int, Evidence]] = []
        turn %= max(1, len(self._order))
        for rank, key in enumerate(self._order[turn:] + self._order[:turn]):
            candidates = [place for place in self._places[key] if shows(place)]
            if not candidates:
                continue
            best = min(candidates, key=lambda place: (len(place.text) > LONGEST, abs(len(place.words) - self._usual)))
            found.append((len(best.text) > LONGEST, rank, _cut(key, best, around)))
            if sum(not cut for cut, _, _ in found) == most:
                break
        return tuple(evidence for _, _, evidence in sorted(found, key=lambda each: each[:2])[:most])


def _scattered(number: int) -> list[float]:
    # Van der Corput's sequence: each place's digits in base 2, mirrored.
    digits = max(1, number - 1).bit_length()
    return [int(format(place, f"0{digits}b")[::-1], 2) for place in range(number)]


def _cut(key: int, place: Place, around: re.Pattern[str] | None) -> Evidence:
    span = place.paragraph.sentences[place.number]
    start, end = span.start, span.end
    if end - start > LONGEST:
        words = place.reading.places[span.first : span.last]
        match = around.search(place.reading.text, start, end) if around else None
        if match and match.end() > start + LONGEST:
            start = next((first for first, _ in words if first >= match.start() - LONGEST // 2), match.start())
        end = max((last for _, last in words if start < last <= start + LONGEST), default=start + LONGEST)
    return Evidence(text=place.reading.text[start:end], post=key, start=start, end=end)


def all_of(items: Iterable[Evidence]) -> Iterator[dict[str, Any]]:
    """For JSON."""
    return (item.as_dict() for item in items)
