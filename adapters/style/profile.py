"""Style profile: what is usual for an author, measured, with the author's own sentences as evidence.
Knows which posts and passages are measured. Knows nothing of what a single measure counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, pstdev
from typing import Final

from adapters.style.described import Bin, Histogram, Measured, Post, Profile, Year
from adapters.style.evidence import SHOWS, Evidence, Shelf
from adapters.style.facts import DASHES, MARKS, Facts, gather, total
from adapters.style.favourites import Favourite, favourites
from adapters.style.habits import Habit, endings, openings
from adapters.style.language import ENGLISH, detect
from adapters.style.leanings import leanings
from adapters.style.lexicon import languages
from adapters.style.measures import MEASURES, Measure, suitable
from adapters.style.plainly import count, quantile
from adapters.style.reading import Reading, pieces, read

__all__ = [
    "Bin", "Evidence", "Favourite", "Habit", "Histogram", "Measured", "Post", "Profile", "Year", "measure",
]  # fmt: skip

POSTS_AT_LEAST: Final = 4
"""Quartiles of fewer posts say nothing; passages stand in for them."""
WORDS_AT_LEAST: Final = 100
"""A shorter post is no part of the quartiles."""
PASSAGE: Final = 300
FEW_WORDS: Final = 2_000
"""Of fewer, most figures are chance."""
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese."""
_SENTENCE_BINS: Final = (1, 6, 11, 16, 21, 26, 31, 41, 51)
_PARAGRAPH_BINS: Final = (1, 26, 51, 76, 101, 151, 201, 301)
_COUNT_BINS: Final = (1, 2, 3, 4, 5, 6, 8, 11)


def measure(posts: Sequence[Post], language: str | None = None) -> Profile:
    """Measure posts of one author. The same posts in the same order give the same profile.

    The language is detected where it is not given. Raises ValueError when no post has a word.
    """
    if language is None:
        language = detect("\n\n".join(post.text[:20_000] for post in posts[:50]))
    readings = {post.key: read(post.text, language or ENGLISH) for post in posts}
    posts = [post for post in posts if readings[post.key].words]
    if not posts:
        raise ValueError("posts: none of them has a word; give at least one that has")
    readings = {post.key: readings[post.key] for post in posts}
    facts = {key: gather(reading, language) for key, reading in readings.items()}
    every = total(facts.values())
    shelf = Shelf(readings)
    dates = sorted(post.written for post in posts if post.written)
    used = suitable(language)
    spread = _pieces(readings, facts, language)
    found = [_measured(one, every, spread, shelf) for one in used]
    return Profile(
        language=language,
        posts=len(posts),
        words=every.counts["words"],
        sentences=every.counts["sentences"],
        paragraphs=every.counts["paragraphs"],
        first=dates[0] if dates else None,
        last=dates[-1] if dates else None,
        measures=(
            *(each for each in found if each),
            *(leanings(list(readings.values()), shelf) if language == ENGLISH else ()),
        ),
        favourites=favourites(readings, language, shelf) if language else (),
        openings=openings(readings, shelf),
        endings=endings(readings, shelf),
        shapes=_shapes(every),
        years=tuple(_years(posts, facts, used)),
        notes=tuple(_notes(posts, language, every.counts["words"])),
    )


def _pieces(readings: Mapping[int, Reading], facts: Mapping[int, Facts], language: str | None) -> list[Facts]:
    long = [each for each in facts.values() if each.counts["words"] >= WORDS_AT_LEAST]
    if len(long) >= POSTS_AT_LEAST:
        return long
    return [
        gather(read(reading.text[start:end], language or ENGLISH), language)
        for reading in readings.values()
        for start, end in pieces(reading, PASSAGE)
    ]


def _measured(one: Measure, every: Facts, spread: Iterable[Facts], shelf: Shelf) -> Measured | None:
    value = one.of(every)
    if value is None:
        return None
    values = [each for each in map(one.of, spread) if each is not None] or [value]
    mark = DASHES[0] if one.key in ("dash", "long_dash") else one.key
    shows = SHOWS.get(one.key)
    showing = (
        ()
        if shows is None or not value
        else shelf.show(lambda place: shows(place, value), around=MARKS.get(mark), turn=MEASURES.index(one))
    )
    return Measured(
        key=one.key,
        group=one.group,
        name=one.name,
        value=value,
        unit=one.unit,
        low=quantile(values, 0.25),
        high=quantile(values, 0.75),
        sentence=one.tell(every, value),
        evidence=showing,
        mean=fmean(values),
        spread=pstdev(values),
        pieces=len(values),
    )


def _shapes(every: Facts) -> tuple[Histogram, ...]:
    return (
        _histogram("sentence_words", "Sentence length", "words", every.sentence_words, _SENTENCE_BINS),
        _histogram("paragraph_words", "Paragraph length", "words", every.paragraph_words, _PARAGRAPH_BINS),
        _histogram(
            "paragraph_sentences", "Sentences in a paragraph", "sentences", every.paragraph_sentences, _COUNT_BINS
        ),
    )


def _histogram(key: str, name: str, unit: str, values: Sequence[int], starts: Sequence[int]) -> Histogram:
    bins = []
    for low, after in zip(starts, [*starts[1:], None], strict=True):
        inside = sum(value >= low and (after is None or value < after) for value in values)
        share = inside / len(values) if values else 0.0
        bins.append(Bin(low=low, high=None if after is None else after - 1, share=share))
    return Histogram(key=key, name=name, unit=unit, bins=tuple(bins))


def _years(posts: Sequence[Post], facts: Mapping[int, Facts], used: Sequence[Measure]) -> Iterable[Year]:
    for year in sorted({post.written.year for post in posts if post.written}):
        inside = [facts[post.key] for post in posts if post.written and post.written.year == year]
        together = total(inside)
        values = {one.key: value for one in used if (value := one.of(together)) is not None}
        yield Year(year=year, posts=len(inside), words=together.counts["words"], values=values)


def _notes(posts: Sequence[Post], language: str | None, words: int) -> Iterable[str]:
    if words < FEW_WORDS:
        yield f"{count(words, 'word').capitalize()} say little yet: from about {FEW_WORDS:,} on, this is a picture."
    if any(len(_UNSPACED.findall(post.text)) > len(post.text) / 2 for post in posts):
        yield "Some posts are in writing with no spaces between words: figures that count words are wrong for them."
    if language is None:
        yield "The language was not told, so favourite words are left out, and what is measured in English only."
    elif language != ENGLISH:
        yield "Contractions, function words, person and the reading grade are measured in English only."
        if language not in languages():
            yield "How common words are in this language is not known, so there are no favourite words."
    undated = sum(post.written is None for post in posts)
    if undated == len(posts):
        yield "No post has a date, so nothing is said of years."
    elif undated:
        counts = "counts" if undated == 1 else "count"
        yield f"{count(undated, 'post').capitalize()} without a date {counts} in no year."
