"""Buttondown's export, a zip with a list of the mails and a file of each, and what its API answers, as JSON.
Knows states of mails and both of Buttondown's editors. Knows nothing of readers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from adapters.errors import say
from adapters.importers.archive import Archive, is_zip, opened
from adapters.importers.dates import day
from adapters.importers.decode import NotText, decode, tidy
from adapters.importers.hypertext import marked
from adapters.importers.item import File, Held, Item, Unreadable
from adapters.importers.loose_json import first, load, record, records, text
from adapters.importers.marked import Marked
from adapters.importers.prose import body, prose
from adapters.importers.table import columns, rows

FORMAT: Final = "buttondown"
LABEL: Final = "Buttondown export"

_LIST: Final = re.compile(r"(?:^|/)emails\.(?:json|csv)$")
_MAIL: Final = re.compile(r"(?:^|/)emails/([^/]+)\.(?:md|markdown|html)$")
_COLUMNS: Final = frozenset({"id", "subject", "publish_date"})
_FIELDS: Final = re.compile(rb'"(?:publish_date|secondary_id|email_type)"\s*:')
_EDITOR: Final = re.compile(r"\s*<!--\s*buttondown-editor-mode:\s*(\w+)\s*-->\s*")
_SCHEDULED: Final = frozenset({"scheduled", "about_to_send", "in_flight", "throttled"})
_SENT: Final = frozenset({"", "sent", "imported", "resending", "managed_by_rss"})


def detect(file: File) -> bool:
    if is_zip(file):
        with opened(file) as archive:
            return any(_MAIL.search(name) for name in archive.names) and any(map(_is_list, _lists(archive)))
    return _is_list(file)


def items(file: File) -> Iterator[Item]:
    if not is_zip(file):
        for mail in _mails(file):
            if "body" not in mail:
                raise Unreadable(say("import.list_only"))
            yield from _item(mail, text(mail["body"]))
        return
    with opened(file) as archive:
        yield from _packed(archive)


def _packed(archive: Archive) -> Iterator[Item]:
    files = {found[1]: name for name in archive.names if (found := _MAIL.search(name))}
    damage = ""
    # The same list is there as a table and as JSON.
    for mails in _lists(archive):
        if not _is_list(mails):
            continue
        try:
            for mail in _mails(mails):
                name = files.pop(first(mail, "slug") or first(mail, "id"), "")
                yield from _from_file(mail, archive, name)
        except Unreadable as error:
            damage = str(error)
        break
    for slug, name in files.items():  # nobody knows whether they were ever sent
        yield from _from_file({"id": slug, "status": "draft"}, archive, name)
    if damage:
        raise Unreadable(damage)


def _lists(archive: Archive) -> Iterator[File]:
    return (archive.get(name) for name in archive.names if _LIST.search(name))


def _is_list(file: File) -> bool:
    try:
        if file.suffix == ".csv":
            return columns(file) >= _COLUMNS
        head = file.head
    except Unreadable:  # the other list may be whole
        return False
    begins = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return begins in {b"[", b"{"} and b'"subject"' in head and bool(_FIELDS.search(head))


def _mails(file: File) -> Iterator[dict[str, Any]]:
    if file.suffix == ".csv":
        yield from rows(file)
        return
    answer = load(file)
    yield from records(answer if isinstance(answer, list) else record(answer).get("results"))


def _from_file(mail: dict[str, Any], archive: Archive, name: str) -> Iterator[Item]:
    if not name and text(mail.get("body")):
        yield from _item(mail, text(mail["body"]))
        return
    why = "" if name else say("import.missing_text")
    try:
        original = decode(archive.get(name).read()) if name else ""
    except NotText:
        why = say("import.not_text")
    except Unreadable as error:
        why = str(error)
    if why:
        yield Item(external_id=first(mail, "id", "slug"), title=first(mail, "subject"), reason=why)
    else:
        yield from _item(mail, original)


def _item(mail: dict[str, Any], original: str) -> Iterator[Item]:
    status = text(mail.get("status")).lower()
    if status in {"deleted", "transactional", "suppressed"}:
        return
    title = first(mail, "subject")
    found_title, found = _body(original, title)
    yield Item(
        external_id=first(mail, "id", "slug", "subject"),
        title=title or found_title,
        date=day(text(mail.get("publish_date"))),
        text=found.text,
        cuts=found.cuts,
        original=original,
        held=Held.SCHEDULED if status in _SCHEDULED else None if status in _SENT else Held.DRAFT,
    )


def _body(original: str, subject: str) -> tuple[str, Marked]:
    """A heading that is not the subject stays in the text."""
    editor = _EDITOR.match(original)
    written = original[editor.end() :] if editor else original
    if editor and editor[1] == "fancy":
        return "", marked(written)
    title, found = prose(tidy(written))
    return title, found if title in {"", subject} or not subject else body(tidy(written))
