"""Pages of a feed, put together as one: Atom's and RSS's by their links (RFC 5005), JSON Feed's by `next_url`.
Knows where a feed names its next page. Knows nothing of addresses or how they are asked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final, Protocol

from lxml import etree

from adapters.importers import feed
from adapters.importers.decode import NotText, decode
from adapters.importers.item import File
from adapters.importers.safe_xml import damage_in, local_name

_RELATIONS: Final = ("next", "prev-archive")


class Page(Protocol):
    """One page of a feed, or several put together."""

    following: str
    """The address of the page after it as the feed has it; empty where it names none."""
    damaged: int
    """The line from which on it was repaired; 0 where it was whole."""

    def add(self, page: Page) -> bool:
        """Take over its entries, but for those that are here already; False when there are no others."""

    def data(self) -> bytes:
        """All of it, for the feeds' importer."""


def page_of(file: File) -> Page | None:
    """None for what is no feed, or one that its importer will refuse."""
    if not feed.detect(file):
        return None
    data = file.read()
    try:
        return _Json(json.loads(decode(data).lstrip("\ufeff"))) if feed.is_json(file) else _xml(data)
    except (etree.XMLSyntaxError, NotText, ValueError, RecursionError):
        return None


def _xml(data: bytes) -> Page | None:
    if b"<!ENTITY" in data:
        return None
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    root = etree.fromstring(data, parser)
    damage = damage_in(parser.error_log)
    return None if root is None else _Xml(root, damaged=damage[0].line if damage else 0)


class _Xml:
    def __init__(self, root: Any, damaged: int) -> None:
        self.damaged = damaged
        self._root = root
        self._channel = next((child for child in root if local_name(child) == "channel"), root)
        self._known = {_xml_key(entry) for entry in self.entries()}
        self.following = self._following()

    def entries(self) -> list[Any]:
        """In RSS 1.0 they stand beside the channel."""
        return [child for parent in self._parents() for child in parent if local_name(child) in {"item", "entry"}]

    def add(self, page: Page) -> bool:
        self.following = page.following
        found = (
            [entry for entry in page.entries() if _xml_key(entry) not in self._known] if isinstance(page, _Xml) else []
        )
        for entry in found:
            self._known.add(_xml_key(entry))
            self._channel.append(entry)
        return bool(found)

    def data(self) -> bytes:
        return bytes(etree.tostring(self._root, encoding="utf-8", xml_declaration=True))

    def _parents(self) -> Iterable[Any]:
        return dict.fromkeys((self._root, self._channel))

    def _following(self) -> str:
        links = [link for parent in self._parents() for link in parent if local_name(link) == "link"]
        named = {(link.get("rel") or "").rpartition("/")[2]: (link.get("href") or "").strip() for link in links}
        return next((named[relation] for relation in _RELATIONS if named.get(relation)), "")


def _xml_key(entry: Any) -> bytes:
    return hashlib.sha256(etree.tostring(entry, with_tail=False)).digest()


class _Json:
    def __init__(self, said: Any) -> None:
        if not isinstance(said, dict) or not isinstance(said.get("version"), str):
            raise ValueError("not a feed")
        self._said = said
        self._items = list(said["items"]) if isinstance(said.get("items"), list) else []
        self._known = {_json_key(item) for item in self._items}
        self.damaged = 0
        following = said.get("next_url")
        self.following = following.strip() if isinstance(following, str) else ""

    def add(self, page: Page) -> bool:
        self.following = page.following
        items = page._items if isinstance(page, _Json) else []
        found = [item for item in items if _json_key(item) not in self._known]
        self._items += found
        self._known.update(map(_json_key, found))
        return bool(found)

    def data(self) -> bytes:
        # The version first: by it the importer knows what this is.
        return json.dumps({"version": self._said["version"], **self._said, "items": self._items}).encode()


def _json_key(item: Any) -> bytes:
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).digest()
