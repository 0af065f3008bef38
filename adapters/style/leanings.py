"""Leanings: the little words that an author uses more, and less, than general English does.
Knows function words and their frequencies. Knows nothing of the other measures."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import Final

from adapters.style import lexicon
from adapters.style.described import Measured
from adapters.style.evidence import Shelf
from adapters.style.measures import WORDS
from adapters.style.plainly import figure, quantile
from adapters.style.reading import Reading

PASSAGE: Final = 1000
"""Words in which a common word stands often enough to be counted."""
COMMON: Final = 2e-4
"""Share of general English: twice in 10,000 words. Of rarer words the posts say too little."""
AGREE: Final = 0.7
"""Share of the passages that have to lean the same way: it is a habit then and no subject."""
CLEAR: Final = 1.5
"""Times as often, or as seldom, as in general English."""
_TOLD: Final = 3


def leanings(readings: Sequence[Reading], shelf: Shelf) -> tuple[Measured, ...]:
    """Two measures, `leaning_more` and `leaning_less`; the value is the ratio of the clearest word.

    Clearest is what the likelihood ratio (Dunning, 1993) says, per passage of 1,000 words. One of them is missing when
    no word leans that way.
    """
    general = lexicon.general("en")
    passages = [
        Counter(reading.words[start : start + PASSAGE])
        for reading in readings
        for start in range(0, max(1, len(reading.words) - PASSAGE // 2), PASSAGE)
    ]
    sizes = [passage.total() for passage in passages]
    times = Counter[str]()
    for passage in passages:
        times.update(passage)
    ratios: dict[str, float] = {}
    clear: dict[str, float] = {}
    for word in sorted(lexicon.FUNCTION_WORDS):
        usual = general.get(word, 0.0)
        if usual < COMMON:
            continue
        ratio = times[word] / (usual * sum(sizes))
        more = ratio > 1
        agree = sum((passage[word] > usual * size) is more for passage, size in zip(passages, sizes, strict=True))
        if agree >= AGREE * len(passages) and not 1 / CLEAR < ratio < CLEAR:
            ratios[word] = ratio
            expected = usual * sum(sizes)
            clear[word] = times[word] * math.log(ratio) - times[word] + expected if ratio else expected
    ranked = sorted(ratios, key=lambda word: (-clear[word], word))
    found = (
        _measured("leaning_more", [word for word in ranked if ratios[word] > 1], ratios, passages, shelf),
        _measured("leaning_less", [word for word in ranked if ratios[word] < 1], ratios, passages, shelf),
    )
    return tuple(each for each in found if each)


def _measured(
    key: str, words: list[str], ratios: dict[str, float], passages: list[Counter[str]], shelf: Shelf
) -> Measured | None:
    if not words:
        return None
    told = [f"“{lexicon.shown(word)}” {_times(ratios[word])}" for word in words[:_TOLD]]
    usual = lexicon.general("en")[words[0]]
    values = [passage[words[0]] / (usual * passage.total()) for passage in passages]
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    pattern = re.compile(rf"(?<!\w){re.escape(words[0])}(?!\w)", re.IGNORECASE)
    return Measured(
        key=key,
        group=WORDS,
        name="Little words you favour" if key == "leaning_more" else "Little words you avoid",
        value=ratios[words[0]],
        unit="times general English",
        low=quantile(values, 0.25),
        high=quantile(values, 0.75),
        sentence=f"Against general English, you use {listed}.",
        evidence=shelf.show(lambda place: words[0] in place.words, around=pattern),
        mean=fmean(values),
        spread=pstdev(values),
        pieces=len(values),
    )


def _times(ratio: float) -> str:
    if ratio == 0:
        return "never"
    return f"{figure(ratio)} times as often" if ratio > 1 else f"{figure(1 / ratio)} times less often"
