"""Briefs that are the same for every author: what they are about says nothing of who is asked.
Knows sentences. Knows nothing of authors or models."""

from __future__ import annotations

from typing import Final

NEUTRAL: Final = (
    "A walk through the town in the rain",
    "Why people keep old letters",
    "The first job I ever had",
    "On waiting",
    "A machine that would not work",
    "What I learned from a neighbour",
    "The pleasure of a long journey",
    "On being wrong",
    "A meal worth remembering",
    "How to begin something difficult",
    "The trouble with advice",
    "An argument between friends",
    "On reading the newspaper",
    "A small mistake and what came of it",
    "The room in which I write",
    "What money cannot settle",
)
