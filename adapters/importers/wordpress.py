"""WordPress's own export, WXR, which Squarespace writes as well: one file, or a zip of its parts.
Knows statuses, types and authors of WordPress. Knows nothing of its markup (see `wordpress_body`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from adapters.importers.archive import Archive, is_zip, opened
from adapters.importers.dates import day
from adapters.importers.hypertext import marked, plain
from adapters.importers.item import File, Held, Item, Unreadable
from adapters.importers.safe_xml import elements, root_of
from adapters.importers.wordpress_body import body

FORMAT: Final = "wordpress"
LABEL: Final = "WordPress or Squarespace export"

_EXPORT: Final = "wordpress.org/export/"
_VERSIONS: Final = ("1.0", "1.1", "1.2")
_CONTENT: Final = "{http://purl.org/rss/1.0/modules/content/}encoded"

# The rest of the statuses are stages of a draft that plugins have thought out.
_STATUSES: Final[dict[str, Held | None]] = {"publish": None, "private": Held.PRIVATE, "future": Held.SCHEDULED}
_NEVER: Final = frozenset({"auto-draft", "inherit", "trash", "spam"})
_KINDS: Final[dict[str, Held | None]] = {"post": None, "podcast": Held.PODCAST}
# Parts of a site, what its visitors wrote, and what they sent in. Other types are plugins' names for posts and pages.
_NO_POST: Final = re.compile(
    r"(?:attachment|nav_menu_item|revision|custom_css|customize_changeset|oembed_cache|user_request|feedback|nf_sub|"
    r"product_variation|safecss|topic|reply|forum|scheduled-action)$"
    r"|(?:wp_|wpcf7|wpforms|flamingo_|shop_|acf-|elementor_|jp_|amp_|et_|tablepress_|mc4wp|mailpoet|popup)"
)
_MOST_PARTS: Final = 100
"""Of an export in a zip."""


def detect(file: File) -> bool:
    if is_zip(file):
        with opened(file) as archive:
            return any(_is_export(entry) for entry in _tables(archive))
    return _is_export(file)


def items(file: File) -> Iterator[Item]:
    if not is_zip(file):
        yield from _items(file)
        return
    with opened(file) as archive:
        for entry in _tables(archive):
            if not _is_export(entry):
                continue
            try:
                yield from _items(entry)
            except Unreadable as error:  # the other parts are files of their own
                yield Item(external_id=entry.name, reason=str(error))


def _tables(archive: Archive) -> Iterator[File]:
    names = (name for name in archive.names if name.lower().endswith(".xml"))
    return (archive.streamed(name) for name in islice(names, _MOST_PARTS))


def _is_export(file: File) -> bool:
    try:
        return _EXPORT.encode() in file.head and root_of(file) == "rss"
    except Unreadable:  # a damaged file beside the others
        return False


def _items(file: File) -> Iterator[Item]:
    damage: list[str] = []
    names: dict[str, str] = {}
    authors = [f"{{http://{_EXPORT}{version}/}}author" for version in _VERSIONS]
    for element in elements(file, "item", *authors, on_damage=damage.append):
        if element.tag != "item":
            login, name = _field(element, "author_login"), _field(element, "author_display_name")
            names[login] = name or login
        elif item := _item(element, names):
            yield item
    if damage:
        raise Unreadable(damage[0])


def _item(element: Any, names: dict[str, str]) -> Item | None:
    """None for what is no post."""
    kind = _field(element, "post_type") or "post"
    status = _field(element, "status") or "publish"
    content = _field(element, _CONTENT)
    if status in _NEVER or _NO_POST.match(kind) or (kind not in _KINDS and not content.strip()):
        return None
    held = _KINDS.get(kind, Held.PAGE) or _STATUSES.get(status, Held.DRAFT)
    if held is None and _is_reply(element):
        held = Held.REPLY
    found = marked(body(content))
    return Item(
        external_id=next(filter(None, (_field(element, name) for name in ("guid", "link", "post_id"))), ""),
        title=plain(_field(element, "title")),
        date=day(_field(element, "post_date")),
        authors=_authors(element, names),
        text=found.text,
        cuts=found.cuts,
        original=content,
        held=held or (Held.PASSWORD if _field(element, "post_password") else None),
    )


def _authors(element: Any, names: dict[str, str]) -> tuple[str, ...]:
    """Those of a post that several wrote stand among its categories, where a plugin puts them."""
    logins = [_text(child) for child in element.iterchildren("category") if child.get("domain") == "author"]
    logins = logins or [_field(element, "creator")]
    return tuple(names.get(login) or login for login in logins)


def _is_reply(element: Any) -> bool:
    """Whether a plugin by which blogs answer each other says so, as a category or a field of its own."""
    kinds = {child.get("nicename") for child in element.iterchildren("category") if child.get("domain") == "kind"}
    return "reply" in kinds or any(
        _field(meta, "meta_key") == "mf2_in-reply-to" for meta in element.iterchildren("{*}postmeta")
    )


def _field(element: Any, name: str) -> str:
    """By its name in whichever version's namespace, or with its namespace."""
    child = element.find(name if name.startswith("{") else f"{{*}}{name}")
    return "" if child is None else _text(child)


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()
