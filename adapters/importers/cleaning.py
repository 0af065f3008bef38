"""Cleaning: paragraphs that their words and their place give away as no prose, whatever format they came in.
Knows what blog programs and mail lists add in English. Knows nothing of markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from adapters.importers.marked import Cut, Marked

_SHORT: Final = 400
"""Characters. What is longer is prose, whatever it begins with."""
_EDGE: Final = 3
"""Bylines and bios are among the first and last so many paragraphs."""

_ANYWHERE: Final = tuple(
    (rule, re.compile(pattern, re.IGNORECASE))
    for rule, pattern in (
        (
            "subscribe",
            r"^(?:please )?(?:subscribe|sign up|upgrade|become a (?:paid|free) subscriber)\b.{0,120}$"
            r"|^thanks for reading\b.{0,120}\b(?:subscribe|share|support|free)\b.{0,120}$"
            r"|^.{0,80}\bis a reader-supported publication\b.*$"
            r"|^(?:share|share this post|share this|leave a comment|give a gift subscription|refer a friend|"
            r"read in app|get the app|like this:|tweet|email this|follow (?:me|us) on \w+)[.!]?$",
        ),
        (
            "boilerplate",
            r"^the post .{1,300} (?:first appeared|appeared first) on .{1,200}$"
            r"|^(?:this (?:post|article|essay|entry|story) was )?(?:originally|first) (?:published|posted|appeared) "
            r"(?:at|on|in) .{1,200}$"
            r"|^(?:continue reading|read more|read the rest|keep reading|click here)\b.{0,120}$"
            r"|^view (?:this|it) (?:email )?(?:in|on) (?:your )?(?:browser|web)\b.{0,120}$"
            r"|^(?:filed under|posted in|tagged(?: with| as)?|tags|categories|related(?: posts)?)\s*:?\s.{0,200}$"
            r"|^this entry was posted\b.{0,300}$"
            r"|^(?:copyright|©|\(c\)) .{0,120}$"
            r"|^unsubscribe\b.{0,120}$",
        ),
        ("embed", r"^(?:\d+\. |- )?https?://\S+$"),  # an address alone is what a blog program makes a card of
        ("caption", r"^(?:photo|image|picture|illustration|cover)(?: credit)?s?\s*(?::|by|via|courtesy)\s.{1,160}$"),
        ("shortcode", r"^\[/?[a-z][a-z0-9_-]{1,40}(?:\s[^\[\]]{0,300})?/?\]$"),
    )
)
_FIRST: Final = re.compile(
    r"^[Bb]y [A-Z][\w.'’-]+(?: [A-Z][\w.'’-]+){0,4}(?:[,|·•-].{0,60})?$"
    r"|^(?i:posted|published|written|updated)(?: on| by)\b.{1,100}$"
    r"|^\d{1,2} min(?:ute)?s? read$"
)
_LAST: Final = re.compile(
    r"^(?:about the author\b|.{2,60} (?:is|was) (?:a|an|the) .{0,80}\b(?:writer|author|journalist|editor|blogger|"
    r"essayist|novelist|poet|professor|columnist|developer|engineer|designer|researcher|founder)\b.*"
    r"|(?:you can )?(?:find|follow|reach|contact|email) (?:me|him|her|them|us|[A-Z]\w+) (?:on|at|via)\b.*)$",
    re.DOTALL,
)
_FIRST_PERSON: Final = re.compile(r"\b(?:I|I['’]m|my)\b")


def clean(marked: Marked, *, author: str = "") -> Marked:
    """`marked` with these paragraphs cut as well; `author` is whom the source names."""
    return marked.without(_found(marked, author))


def _found(marked: Marked, author: str) -> Iterator[Cut]:
    paragraphs = [found for found in marked.paragraphs() if not found[2]]
    for place, (start, text, _) in enumerate(paragraphs):
        if len(text) > _SHORT:
            continue
        line = text.lstrip("> ").strip()
        rule = next((rule for rule, pattern in _ANYWHERE if pattern.match(line)), "")
        if not rule and place < _EDGE and (_FIRST.match(line) or (author and line.lower() in _bylines(author))):
            rule = "byline"
        # "I am a writer" is how essays end, too: a bio speaks of its author as of somebody else.
        last = place >= len(paragraphs) - _EDGE and len(paragraphs) > _EDGE
        if not rule and last and _LAST.match(line) and not _FIRST_PERSON.search(line):
            rule = "bio"
        if rule:
            yield Cut(start=start, end=start + len(text), rule=rule)


def _bylines(author: str) -> set[str]:
    name = author.strip().lower()
    return {name, f"by {name}", f"— {name}", f"- {name}"}
