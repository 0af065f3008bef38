"""Mails and what they answer: quoted and forwarded mails and signatures are told from what is new.
Knows how mail programs quote. Knows nothing of headers or mailboxes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree
from lxml import html as lxml_html

from adapters.importers.hypertext import parse
from adapters.importers.marked import Builder, Marked
from adapters.importers.text import unwrap

_ATTRIBUTION: Final = re.compile(
    r"^(?:on\b.{4,200}\bwrote|am\b.{4,200}\bschrieb\b.{0,80}|le\b.{4,200}\ba écrit)\s*:$",
    re.IGNORECASE,
)
_SHORT_ATTRIBUTION: Final = re.compile(r"^.{2,100}<\S+@\S+>\s*(?:wrote|schrieb)\s*:$", re.IGNORECASE)
_LONGEST_ATTRIBUTION: Final = 400
# From here on nothing of a mail is new.
_REST: Final = re.compile(
    r"^\s*(?:-{2,}\s*(?:original message|forwarded message|forwarded by\b.*|ursprüngliche nachricht)\s*-*"
    r"|begin forwarded message:|_{20,}|-{5,}\s*forwarded\b.*)\s*$",
    re.IGNORECASE,
)
_HEADERS: Final = re.compile(
    r"^(?:from|von|de):\s.{1,200}\n(?:(?:sent|date|to|cc|subject|gesendet|an|betreff):\s.*\n?){2,}", re.I
)
_SIGNATURE: Final = re.compile(r"^--\s*$")
_SENT_FROM: Final = re.compile(r"^(?:sent from my \w+|get outlook for \w+|sent from \w+ mail\b).{0,60}$", re.IGNORECASE)
_QUOTED_HTML: Final = (
    "gmail_quote", "gmail_attr", "moz-cite-prefix", "yahoo_quoted", "protonmail_quote",
)  # fmt: skip
_HEADER_HTML: Final = ("divRplyFwdMsg", "OutlookMessageHeader")
"""Outlook's: the mail that is answered stands beside it, not in it."""
_SIGNATURE_HTML: Final = ("gmail_signature", "moz-signature", "Signature", "protonmail_signature_block")


def of_text(text: str, *, is_flowed: bool = False) -> Marked:
    """A plain mail whose blank lines part paragraphs; those lines that its program broke are joined."""
    builder = Builder()
    for part, rule in _parts(text.split("\n")):
        joined = part if rule or is_flowed else _joined(part)
        for paragraph in joined.split("\n\n"):
            builder.block([(paragraph.strip("\n"), rule)])
    return builder.done()


def _parts(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Runs of lines with their rule or an empty string."""
    new: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        rest = "\n".join(lines[place : place + 8])
        if _SIGNATURE.match(line):
            yield "\n".join(new), ""
            yield from _after_signature(lines[place:])
            return
        if _REST.match(line) or _HEADERS.match(rest):
            yield "\n".join(new), ""
            yield "\n".join(lines[place:]), "quoted mail"
            return
        length = _attribution(lines, place)
        if line.startswith(">") or length:
            end = place + length
            while end < len(lines) and (lines[end].startswith(">") or (not lines[end] and _quotes_on(lines, end))):
                end += 1
            yield "\n".join(new), ""
            yield "\n".join(lines[place:end]), "quoted mail"
            new, place = [], end
            continue
        if _SENT_FROM.match(line):
            yield "\n".join(new), ""
            yield line, "signature"
            new, place = [], place + 1
            continue
        new.append(line)
        place += 1
    yield "\n".join(new), ""


def _after_signature(lines: list[str]) -> Iterator[tuple[str, str]]:
    """A signature reaches to the end, or to the mail that is quoted below it."""
    for place, line in enumerate(lines):
        if place and (line.startswith(">") or _REST.match(line) or _attribution(lines, place)):
            yield "\n".join(lines[:place]), "signature"
            yield "\n".join(lines[place:]), "quoted mail"
            return
    yield "\n".join(lines), "signature"


def _attribution(lines: list[str], place: int) -> int:
    """How many lines "On ... wrote:" takes here, broken by a program or not; 0 where it does not stand here."""
    for length in (1, 2, 3):
        part = lines[place : place + length]
        if len(part) < length or not all(part) or sum(map(len, part)) > _LONGEST_ATTRIBUTION:
            return 0
        if _ATTRIBUTION.match(" ".join(part)) or (length == 1 and _SHORT_ATTRIBUTION.match(part[0])):
            return length
    return 0


def _quotes_on(lines: list[str], place: int) -> bool:
    return place + 1 < len(lines) and lines[place + 1].startswith(">")


def _joined(text: str) -> str:
    """Paragraphs unwrapped: as in text files, but mails are short, and are broken below 80 characters."""
    whole = unwrap(text)
    if whole != text:
        return whole
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        broken = len(lines) > 1 and all(55 <= len(line) <= 80 for line in lines[:-1])
        paragraphs.append(" ".join(line.strip() for line in lines) if broken else paragraph)
    return "\n\n".join(paragraphs)


def with_quoted_html(markup: str) -> str:
    """HTML in which what mail programs quote says so in a class that `hypertext` knows."""
    root = parse(markup)
    if root is None:
        return ""
    for node in root.iter(etree.Element):
        names = f"{node.get('class') or ''} {node.get('id') or ''}".split()
        if any(name in names for name in _QUOTED_HTML) or (node.tag == "blockquote" and node.get("type") == "cite"):
            node.set("class", "quoted-mail")
        elif any(name in names for name in _HEADER_HTML):
            for after in (node, *node.itersiblings()):
                after.set("class", "quoted-mail")
        elif any(name in names for name in _SIGNATURE_HTML):
            node.set("class", "mail-signature")
    return str(lxml_html.tostring(root, encoding="unicode"))
