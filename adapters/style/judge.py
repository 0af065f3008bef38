"""Judges: who wrote this? Trained on texts of several writers, asked about others.
Knows scikit-learn and two ways to see a style. Knows nothing of voices; what it is trained on is its caller's care."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["characters", "function words"]
KINDS: Final[tuple[Kind, ...]] = ("characters", "function words")
COMMON_WORDS: Final = 300
"""The commonest words of all writers together: function words in every language, so they say little of the subject."""
_SAME: Final = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "—": "-", "–": "-", "…": "..."})
_MARKUP = re.compile(r"^[ \t]*(?:[#>]+|[-*]|\d+\.)[ \t]+|[*_`]", re.MULTILINE)


class Judge:
    """Tells writers apart. The same texts give the same judge."""

    def __init__(self, kind: Kind, texts: Sequence[str], writers: Sequence[str]) -> None:
        """`writers[i]` wrote `texts[i]`. Raises ValueError for fewer than two writers."""
        if len(set(writers)) < 2:
            raise ValueError(f"writers: a judge needs at least two, not {len(set(writers))}")
        self._model = _character_model() if kind == "characters" else _function_word_model()
        self._model.fit([plain(text) for text in texts], list(writers))

    @property
    def writers(self) -> list[str]:
        """Everybody it knows, in the order of the scores."""
        return [str(writer) for writer in self._model.classes_]

    def scores(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """(texts, writers): how much each text is like each writer's; only their order means something."""
        found = np.asarray(self._model.decision_function([plain(text) for text in texts]), dtype=np.float64)
        return found if found.ndim == 2 else np.stack([-found, found], axis=1)

    def ranks(self, texts: Sequence[str], writers: Sequence[str]) -> list[int]:
        """In which place each text's own writer comes: 1 is right."""
        scores = self.scores(texts)
        own = scores[np.arange(len(texts)), [self.writers.index(writer) for writer in writers]]
        return [int(rank) for rank in 1 + (scores > own[:, None]).sum(axis=1)]


def plain(text: str) -> str:
    """Without what an edition decides and no writer: kinds of quotes and dashes, line breaks, list marks, emphasis."""
    return " ".join(_MARKUP.sub("", text.translate(_SAME)).split())


# The figures of both were chosen by cross-validation over posts on part B of the style benchmark's authors.
def _character_model() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    seen = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), lowercase=False, sublinear_tf=True, min_df=2)
    return make_pipeline(seen, _svm())


def _function_word_model() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Marks count as words here: how often somebody sets a semicolon is style.
    seen = TfidfVectorizer(
        token_pattern=r"[^\W\d_]+(?:'[^\W\d_]+)*|[^\w\s]", max_features=COMMON_WORDS, use_idf=False, norm="l1"
    )
    return make_pipeline(seen, StandardScaler(with_mean=False), _svm(C=0.005))


def _svm(C: float = 1.0) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, class_weight="balanced", random_state=0, max_iter=20_000)
