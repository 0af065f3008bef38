"""Measures of openings and endings: how sentences, paragraphs and posts begin, and how posts end.
Knows facts. Knows nothing of which single words come first."""

from __future__ import annotations

from typing import Final

from adapters.style.measures.kinds import share

_JOINERS: Final = "with “And”, “But”, “So” or the like"

OPENING_MEASURES: Final = (
    share(
        "paragraphs_opened_by_question",
        "Paragraphs opened by a question",
        ("paragraphs opened by a question", "paragraphs"),
        ("open", "paragraph", "with a question"),
        "Paragraphs that open with a question",
    ),
    share(
        "paragraphs_opened_by_joiner",
        "Paragraphs opened by And, But, So",
        ("paragraphs opened by a joiner", "paragraphs"),
        ("open", "paragraph", _JOINERS),
        "Paragraphs that open with “And”, “But” or “So”",
        english=True,
    ),
    share(
        "sentences_opened_by_joiner",
        "Sentences opened by And, But, So",
        ("sentences opened by a joiner", "sentences"),
        ("begin", "sentence", _JOINERS),
        "Sentences that begin with “And”, “But” or “So”",
        english=True,
    ),
    share(
        "sentences_opened_by_i",
        "Sentences opened by I",
        ("sentences opened by i", "sentences"),
        ("begin", "sentence", "with “I” or “My”"),
        "Sentences that begin with “I” or “My”",
        english=True,
    ),
    share(
        "posts_opened_by_question",
        "Posts opened by a question",
        ("posts opened by a question", "posts of prose"),
        ("open", "post", "with a question"),
        "Posts that open with a question",
    ),
    share(
        "posts_ended_by_question",
        "Posts ended by a question",
        ("posts ended by a question", "posts of prose"),
        ("end", "post", "with a question"),
        "Posts that end with a question",
    ),
    share(
        "posts_ended_by_one_sentence",
        "Posts ended by one sentence",
        ("posts ended by one sentence", "posts of prose"),
        ("end", "post", "with a paragraph of one sentence"),
        "Posts that end with a paragraph of one sentence",
    ),
)
