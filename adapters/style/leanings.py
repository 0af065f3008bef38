"""Leanings: the little words that an author uses more, and less, than others do.
Knows function words and how common they are elsewhere. Knows nothing of the other measures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean, pstdev
from typing import Final

from adapters.style import lexicon
from adapters.style.background import typical
from adapters.style.described import Measured
from adapters.style.evidence import Shelf
from adapters.style.measures import WORDS
from adapters.style.plainly import as_often, listed, quantile
from adapters.style.reading import Reading

PASSAGE: Final = 1000
"""Words in which a common word stands often enough to be counted."""
WORDS_AT_LEAST: Final = 2000
"""Of fewer, no leaning can be told."""
COMMON: Final = 5e-5
"""Once in 20,000 words. Of rarer words the posts say too little."""
EVIDENT: Final = 10.0
"""Likelihood ratio in natural logarithms; of this much, chance is no explanation."""
AGREE: Final = 0.7
"""Share of the passages that have to lean the same way: it is a habit then and no subject."""
CLEAR: Final = 1.5
"""Times as often, or as seldom, as elsewhere."""
_TOLD: Final = 3


def leanings(readings: Sequence[Reading], shelf: Shelf) -> tuple[Measured, ...]:
    """Up to four measures, more and less than general English and than typical prose; English only.

    A value is the ratio of the clearest word, by likelihood ratio (Dunning, 1993). A measure is missing where no word
    leans that way.
    """
    if sum(len(reading.words) for reading in readings) < WORDS_AT_LEAST:
        return ()
    passages = [
        Counter(reading.words[start : start + PASSAGE])
        for reading in readings
        for start in range(0, max(1, len(reading.words) - PASSAGE // 2), PASSAGE)
    ]
    found = (
        *_against("leaning", "general English", lexicon.general("en"), passages, shelf),
        *_against("typical", "other writers of essays and blogs", typical(), passages, shelf),
    )
    return tuple(each for each in found if each)


def _against(
    key: str, others: str, usual: Mapping[str, float], passages: Sequence[Counter[str]], shelf: Shelf
) -> tuple[Measured | None, Measured | None]:
    sizes = [passage.total() for passage in passages]
    times = Counter[str]()
    for passage in passages:
        times.update(passage)
    ratios: dict[str, float] = {}
    clear: dict[str, float] = {}
    for word in sorted(lexicon.FUNCTION_WORDS):
        share = usual.get(word, 0.0)
        if share < COMMON:
            continue
        expected = share * sum(sizes)
        ratio = times[word] / expected
        agree = sum(
            (passage[word] > share * size) is (ratio > 1) for passage, size in zip(passages, sizes, strict=True)
        )
        evidence = times[word] * math.log(ratio) - times[word] + expected if ratio else expected
        if evidence >= EVIDENT and agree >= AGREE * len(passages) and not 1 / CLEAR < ratio < CLEAR:
            ratios[word], clear[word] = ratio, evidence
    ranked = sorted(ratios, key=lambda word: (-clear[word], word))
    more = {word: ratios[word] for word in ranked if ratios[word] > 1}
    less = {word: ratios[word] for word in ranked if ratios[word] < 1}
    return (
        _measured(f"{key}_more", f"Little words you favour against {others}", others, more, usual, passages, shelf),
        _measured(f"{key}_less", f"Little words you avoid against {others}", others, less, usual, passages, None),
    )


def _measured(
    key: str,
    name: str,
    others: str,
    ratios: Mapping[str, float],
    usual: Mapping[str, float],
    passages: Sequence[Counter[str]],
    shelf: Shelf | None,
) -> Measured | None:
    if not ratios:
        return None
    first = next(iter(ratios))
    told = listed([f"“{lexicon.shown(word)}” {as_often(ratio)}" for word, ratio in list(ratios.items())[:_TOLD]])
    values = [passage[first] / (usual[first] * passage.total()) for passage in passages if passage]
    pattern = re.compile(rf"(?<!\w){re.escape(first)}(?!\w)", re.IGNORECASE)
    return Measured(
        key=key,
        group=WORDS,
        name=name,
        value=ratios[first],
        unit="times as often",
        low=quantile(values, 0.25),
        high=quantile(values, 0.75),
        sentence=f"Against {others}, you use {told}.",
        evidence=shelf.show(lambda place: first in place.words, around=pattern) if shelf else (),
        mean=fmean(values),
        spread=pstdev(values),
        pieces=len(values),
    )
