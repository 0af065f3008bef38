"""Markdown files with or without front matter, one post each.
Knows front matter in YAML and TOML. Knows nothing of Markdown's own syntax (see `prose`)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

import yaml
from frontmatter.default_handlers import BaseHandler, YAMLHandler

from adapters.errors import say
from adapters.importers.dates import day, day_in_name
from adapters.importers.decode import NotText, decode, tidy
from adapters.importers.item import File, Held, Item
from adapters.importers.prose import prose


class _Toml(BaseHandler):  # type: ignore[misc]
    FM_BOUNDARY = re.compile(r"^\+{3,}\s*$", re.MULTILINE)

    def load(self, fm: str) -> dict[str, Any]:
        return tomllib.loads(fm)


HANDLERS: Final = (YAMLHandler(), _Toml())
# Front matter is a few lines. A large block at the top is text between two rules, or an attack on the YAML reader.
LARGEST_FRONT_MATTER: Final = 20_000
_FIELD = re.compile(r"^(\w+)\s*[:=]\s*(.+?)\s*$", re.MULTILINE)


FORMAT: Final = "markdown"
LABEL: Final = "Markdown"


def detect(file: File) -> bool:
    return file.suffix in {".md", ".markdown", ".mdown", ".mdx"}


def items(file: File) -> Iterator[Item]:
    try:
        original = decode(file.read())
    except NotText:
        yield Item(external_id=file.name, reason=say("import.not_text"))
        return
    if not original.strip():
        yield Item(external_id=file.name, reason=say("import.empty"))
        return
    fields, body = front_matter(original)
    title, marked = prose(tidy(body))
    yield Item(
        external_id=file.name,
        title=_scalar(fields.get("title")) or title,
        date=day(fields.get("date")) or day_in_name(file.name),
        author=_scalar(fields.get("author")),
        text=marked.text,
        cuts=marked.cuts,
        original=original,
        held=Held.DRAFT if _is_draft(fields) else None,
    )


def front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The fields at the top, names in small letters, and the rest; no fields and all of `text` where there are none."""
    text = text.lstrip("\ufeff \t\r\n").replace("\r\n", "\n")
    for handler in HANDLERS:
        if not handler.detect(text):
            continue
        try:
            head, body = handler.split(text)
        except ValueError:  # opened and never closed
            break
        if len(head) > LARGEST_FRONT_MATTER:
            break
        fields = _load(handler, head)
        if fields is None:  # text between two rules
            break
        return {str(name).lower(): value for name, value in fields.items()}, body
    return {}, text


def _load(handler: BaseHandler, head: str) -> dict[str, Any] | None:
    try:
        fields = handler.load(head) if head.strip() else {}
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError):
        # Most often a colon in an unquoted title: the lines still say what they mean.
        fields = dict(_FIELD.findall(head)) or None
    return fields if isinstance(fields, dict) else None


def _scalar(value: object) -> str:
    return str(value).strip().strip("\"'") if isinstance(value, str | int | float) else ""


def _is_draft(fields: dict[str, Any]) -> bool:
    def said(name: str) -> str:
        return str(fields.get(name, "")).strip().strip("\"'").lower()

    return said("draft") in {"true", "yes", "1"} or said("published") in {"false", "no"} or said("status") == "draft"
