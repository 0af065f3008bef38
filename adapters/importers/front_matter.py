"""Front matter: the fields at the top of a static blog's post, and what they say about it.
Knows YAML, TOML and Pelican's lines without fences. Knows nothing of the text below them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml
from frontmatter.default_handlers import BaseHandler, YAMLHandler

from adapters.importers.dates import day, day_in_name
from adapters.importers.item import Held, Item
from adapters.importers.marked import Marked


class _Toml(BaseHandler):  # type: ignore[misc]
    FM_BOUNDARY = re.compile(r"^\+{3,}\s*$", re.MULTILINE)

    def load(self, fm: str) -> dict[str, Any]:
        return tomllib.loads(fm)


HANDLERS: Final = (YAMLHandler(), _Toml())
# Front matter is a few lines. A large block at the top is text between two rules, or an attack on the YAML reader.
LARGEST: Final = 20_000
_FIELD = re.compile(r"^(\w+)\s*[:=]\s*(.+?)\s*$", re.MULTILINE)
_BARE_FIELD = re.compile(r"([A-Za-z][A-Za-z_-]{1,24})[ \t]*:(?:[ \t]+(.*))?$")
# A letter may begin with "Title: ..." as well; two of these names are no coincidence.
_BARE_NAMES: Final = frozenset(
    "title date author authors category tags slug status summary modified lang template keywords subtitle".split()  # noqa: SIM905
)
_DATES: Final = (
    "date",
    "pubdate",
    "publishdate",
    "publish_date",
    "date_published",
    "published",
    "published_at",
    "created",
)
_ANSWERED: Final = ("in_reply_to", "in-reply-to", "inreplyto")
"""Where personal sites say what a post answers."""


def split(text: str) -> tuple[dict[str, Any], str]:
    """The fields at the top, names in small letters, and the rest; no fields and all of `text` where there are none."""
    text = text.lstrip("\ufeff \t\r\n").replace("\r\n", "\n")
    for handler in HANDLERS:
        if not handler.detect(text):
            continue
        try:
            head, body = handler.split(text)
        except ValueError:  # opened and never closed
            break
        if len(head) > LARGEST:
            break
        fields = _load(handler, head)
        if fields is None:  # text between two rules
            break
        return {str(name).lower(): value for name, value in fields.items()}, body
    return _bare(text)


def post(fields: Mapping[str, Any], *, name: str, title: str, marked: Marked, original: str) -> Item:
    """What a file at `name` holds; `title` is that of its text."""
    dates = (day(fields.get(field)) for field in _DATES)
    return Item(
        external_id=name,
        title=_scalar(fields.get("title")) or title,
        date=next((found for found in dates if found), None) or day_in_name(name),
        authors=tuple(_people(fields.get("author") or _parted(fields.get("authors")))),
        text=marked.text,
        cuts=marked.cuts,
        original=original,
        held=_held(fields),
    )


def _load(handler: BaseHandler, head: str) -> dict[str, Any] | None:
    try:
        fields = handler.load(head) if head.strip() else {}
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError):
        # Most often a colon in an unquoted title: the lines still say what they mean.
        fields = dict(_FIELD.findall(head)) or None
    return fields if isinstance(fields, dict) else None


def _bare(text: str) -> tuple[dict[str, Any], str]:
    """Pelican's fields: lines up to the first blank one, what is indented belongs to the line before."""
    head = text[:LARGEST].partition("\n\n")[0]
    fields: dict[str, Any] = {}
    last = ""
    for line in head.split("\n"):
        found = _BARE_FIELD.match(line)
        if found:
            last = found[1].lower()
            fields[last] = (found[2] or "").strip()
        elif last and line.startswith((" ", "\t")):
            fields[last] = f"{fields[last]} {line.strip()}"
        else:
            return {}, text
    if len(_BARE_NAMES & fields.keys()) < 2 or "title" not in fields:
        return {}, text
    return fields, text[len(head) :]


def _scalar(value: object) -> str:
    return str(value).strip().strip("\"'") if isinstance(value, str | int | float) else ""


def _people(value: object, depth: int = 3) -> Iterator[str]:
    """Names in any of the shapes that blog programs take: one, a list, or fields with a name."""
    if isinstance(value, list) and depth:
        for one in value:
            yield from _people(one, depth - 1)
    elif isinstance(value, dict):
        yield from _people(value.get("name") or value.get("display_name"), 0)
    elif found := _scalar(value):
        yield found


def _parted(authors: object) -> object:
    """Several in one line, as Pelican has them: by semicolons where there are any, as names may have commas."""
    if not isinstance(authors, str):
        return authors
    return [name.strip() for name in authors.split(";" if ";" in authors else ",") if name.strip()]


def _held(fields: Mapping[str, Any]) -> Held | None:
    def said(name: str) -> str:
        return _scalar(fields.get(name)).lower()

    if said("draft") in {"true", "yes", "1"} or said("published") in {"false", "no"} or said("status") == "draft":
        return Held.DRAFT
    if said("status") in {"hidden", "private"} or said("visibility") == "private" or said("private") in {"true", "yes"}:
        return Held.PRIVATE
    if said("password"):
        return Held.PASSWORD
    if "page" in {said("layout"), said("type")}:
        return Held.PAGE
    return Held.REPLY if any(fields.get(name) for name in _ANSWERED) else None
