"""Lexicon: English words by what they do in a sentence, and how common words are in general language.
Knows word lists. Knows nothing of authors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


I: Final = _set("i me my mine myself i'm i've i'll i'd")  # noqa: E741
WE: Final = _set("we us our ours ourselves we're we've we'll we'd let's")
YOU: Final = _set("you your yours yourself yourselves you're you've you'll you'd")
THEY: Final = _set(
    "he him his himself he's he'll he'd she her hers herself she's she'll she'd "
    "they them their theirs themselves they're they've they'll they'd"
)
JOINERS: Final = _set("and but so or yet nor")

FUNCTION_WORDS: Final = _set(
    """
    a about above after again against all almost along already also although always am among an and another any are
    around as at be because been before being below between both but by can cannot could did do does doing down during
    each either else enough even ever every few for from further had has have having he hence her here hers herself him
    himself his how however i if in indeed instead into is it its itself just least less many may me might mine more
    most much must my myself neither never no nor not now of off often on once one only onto or other others ought our
    ours ourselves out over own perhaps quite rather same shall she should since so some still such than that the
    their theirs them themselves then there therefore these they this those though through throughout thus till to too
    toward towards under until unto up upon us very was we well were what whatever when where whereas whether which
    while whilst who whole whom whose why will with within without would yet you your yours yourself yourselves
    """
)

_VERBS: Final = "do does did is are was were have has had would could should must need can might"
CONTRACTED: Final = re.compile(
    r"\b(?:\w+n't|(?:i|we|you|they)'(?:m|re|ve)|(?:i|we|you|he|she|it|they|that|there|who|this|what)'(?:ll|d)"
    r"|(?:he|she|it|that|there|here|what|who|where|how|let)'s)\b"
)
"""In small letters with straight apostrophes. Another word with 's is a possessive more often than not."""
_PARTICIPLE: Final = (
    r"(?:\w+ed|\w+en|been|had|got|made|done|gone|said|found|come|become|begun|left|lost|heard|thought)\b"
)
CONTRACTIBLE: Final = re.compile(
    rf"\b(?:cannot|will not|shall not|(?:{'|'.join(_VERBS.split())}) not|i am(?= \w)|let us"
    rf"|(?:we|you|they) are(?= \w)|(?:he|she|it|that|there|here|what|who) is(?= \w)"
    rf"|(?:i|we|you|he|she|it|they) (?:will|would)(?= \w)"
    rf"|(?:i|we|you|he|she|it|they) (?:have|has|had)(?= {_PARTICIPLE}))\b"
)
"""What could have been contracted and was not; at the end of a clause nothing can be."""


_I = re.compile(r"\bi(?=['\s]|$)")


def shown(text: str) -> str:
    """Words in small letters as English writes them: with a capital I."""
    return _I.sub("I", text)


@cache
def general(language: str) -> Mapping[str, float]:
    """Word -> its share of all words of general language, by `wordfreq` (Speer, 2022); empty for unknown languages."""
    from wordfreq import available_languages, get_frequency_dict

    if language not in available_languages("small"):
        return MappingProxyType({})
    return MappingProxyType(get_frequency_dict(language, "best"))


@cache
def common(language: str, words: int = 60) -> frozenset[str]:
    """The commonest words of a language."""
    from wordfreq import top_n_list

    return frozenset(top_n_list(language, words, wordlist="small"))


@cache
def languages() -> tuple[str, ...]:
    """Codes of the languages that set spaces between words and whose commonest words are known."""
    from wordfreq import available_languages

    return tuple(sorted(set(available_languages("small")) - {"ja", "zh", "ko", "th"}))
