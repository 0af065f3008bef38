"""Personal data: addresses, numbers and keys that an author may not want a model to learn.
Knows what they look like. Knows nothing of whose they are: it finds candidates, and people decide."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_BEFORE: Final = r"(?<![\w.,/-])"
_KINDS: Final = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        ("key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
        ("key", r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,})\b"),
        ("key", r"\b(?:sk-[\w-]{20,}|xox[abprs]-[\w-]{10,})\b"),
        ("key", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
        ("mail address", r"\b[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}\b"),
        ("bank account", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
        ("card number", r"\b(?:\d{4}[ -]){3}\d{4}\b"),
        (
            "phone number",
            _BEFORE + r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?|\d{2,4}[ .-])\d{3,4}[ .-]\d{3,4}(?![\w-])",
        ),
        ("phone number", _BEFORE + r"\+\d{1,3}(?:[ .-]?\d{2,4}){3,5}(?![\w-])"),
        (
            "street address",
            r"\b\d{1,5} (?:[A-Z][\w’'-]+ ){1,3}(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd)\b"
            r"(?=[.,]? (?:[A-Z]|\d|Apt|#)|[.,]?$)",
        ),
    )
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A piece of a text that may be personal."""

    kind: str
    """What it looks like."""
    start: int
    """Its first character."""
    end: int
    """Behind its last."""


def personal(text: str) -> list[Found]:
    """In the order of the text; no two overlap."""
    found: list[Found] = []
    for kind, pattern in _KINDS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if not any(start < other.end and other.start < end for other in found):
                found.append(Found(kind=kind, start=start, end=end))
    return sorted(found, key=lambda each: each.start)
