"""Blogger's backup, in Atom or in the zip that Google packs it in, and what its API answers, as JSON.
Knows posts among settings, templates and comments. Knows nothing of other feeds in Atom."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from adapters.importers.archive import Archive, is_zip, opened
from adapters.importers.dates import day
from adapters.importers.hypertext import marked, plain
from adapters.importers.item import File, Held, Item, Unreadable
from adapters.importers.loose_json import first, load, record, records, text
from adapters.importers.safe_xml import elements, root_of

FORMAT: Final = "blogger"
LABEL: Final = "Blogger backup"

_ENTRY: Final = "{http://www.w3.org/2005/Atom}entry"
# The feed that a blog shows to everybody has neither: it says of no entry what it is.
_BACKUP: Final = re.compile(rb"schemas\.google\.com/blogger/(?:2008/kind#|2018)")
_ANSWER: Final = re.compile(rb'"kind"\s*:\s*"blogger#(?:post|page)')
_NUMBER: Final = re.compile(r"\.(?:post|page)-(\d+)$")
_STATUSES: Final = {"DRAFT": Held.DRAFT, "SCHEDULED": Held.SCHEDULED}
_GONE: Final = frozenset({"SOFT_TRASHED", "TRASHED", "DELETED"})
_MOST_BLOGS: Final = 100
"""Files of a zip that are looked into."""


def detect(file: File) -> bool:
    if is_zip(file):
        with opened(file) as archive:
            return any(_is_backup(entry) for entry in _feeds(archive))
    return _is_backup(file) or _is_answer(file)


def items(file: File) -> Iterator[Item]:
    if _is_answer(file):
        yield from _answered(load(file))
    elif not is_zip(file):
        yield from _backed_up(file)
    else:
        with opened(file) as archive:
            for entry in _feeds(archive):
                if not _is_backup(entry):
                    continue
                try:
                    yield from _backed_up(entry)
                except Unreadable as error:  # each is a blog of its own
                    yield Item(external_id=entry.name, reason=str(error))


def _feeds(archive: Archive) -> Iterator[File]:
    names = (name for name in archive.names if name.lower().endswith((".atom", ".xml")))
    return (archive.streamed(name) for name in islice(names, _MOST_BLOGS))


def _is_backup(file: File) -> bool:
    try:
        return bool(_BACKUP.search(file.head)) and root_of(file) == "feed"
    except Unreadable:  # a damaged file beside the feeds
        return False


def _is_answer(file: File) -> bool:
    return file.head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"[", b"{"} and bool(_ANSWER.search(file.head))


def _answered(answer: Any) -> Iterator[Item]:
    for post in records(answer if isinstance(answer, list) else record(answer).get("items") or [answer]):
        kind = text(post.get("kind"))
        status = text(post.get("status"))
        if kind not in {"blogger#post", "blogger#page"} or status in _GONE:
            continue
        yield _item(
            external_id=first(post, "id", "url"),
            title=text(post.get("title")),
            published=text(post.get("published")),
            authors=(plain(text(record(post.get("author")).get("displayName"))),),
            content=text(post.get("content")),
            held=Held.PAGE if kind == "blogger#page" else _STATUSES.get(status),
        )


def _backed_up(file: File) -> Iterator[Item]:
    damage: list[str] = []
    for entry in elements(file, _ENTRY, on_damage=damage.append):
        kind = _kind(entry)
        status = "DRAFT" if _field(entry, "{*}control/{*}draft") == "yes" else _field(entry, "{*}status")
        if kind not in {"post", "page"} or status in _GONE:
            continue
        number = _NUMBER.search(_field(entry, "{*}id"))
        yield _item(
            external_id=number[1] if number else _field(entry, "{*}id"),
            title=_field(entry, "{*}title"),
            published=_field(entry, "{*}published"),
            authors=tuple(_field(author, "{*}name") for author in entry.iterchildren("{*}author")),
            content=_field(entry, "{*}content"),
            held=Held.PAGE if kind == "page" else _STATUSES.get(status),
        )
    if damage:
        raise Unreadable(damage[0])


def _kind(entry: Any) -> str:
    """Older backups say it by a category, newer ones by an element."""
    for category in entry.iterchildren("{*}category"):
        if category.get("scheme", "").endswith("#kind"):
            return str(category.get("term", "").rpartition("#")[2])
    return _field(entry, "{*}type").lower()


def _item(
    *, external_id: str, title: str, published: str, authors: tuple[str, ...], content: str, held: Held | None
) -> Item:
    found = marked(content)
    return Item(
        external_id=external_id,
        title=plain(title),
        date=day(published),
        authors=authors,
        text=found.text,
        cuts=found.cuts,
        original=content,
        held=held,
    )


def _field(element: Any, path: str) -> str:
    child = element.find(path)
    return "" if child is None else "".join(child.itertext()).strip()
