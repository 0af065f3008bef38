"""Feeds: RSS 0.9x, 1.0 and 2.0, Atom and JSON Feed, entry by entry.
Knows where each keeps a post's words, and tells posts from excerpts. Knows nothing of addresses (see `fetch`)."""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from lxml import etree

from adapters.errors import say
from adapters.importers.dates import day, mail_day
from adapters.importers.decode import NotText, decode, tidy
from adapters.importers.hypertext import Element, marked, plain
from adapters.importers.item import File, Held, Item, Unreadable
from adapters.importers.marked import Marked
from adapters.importers.safe_xml import elements, local_name, root_of

FORMAT: Final = "feed"
LABEL: Final = "RSS, Atom or JSON feed"

_JSON_FEED: Final = re.compile(
    rb'^(?:\xef\xbb\xbf)?\s*\{.*?"version"\s*:\s*"https?:(?:\\?/){2}jsonfeed\.org',
    re.DOTALL,
)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>|&#?\w{2,8};")
_ESCAPED_TAG: Final = re.compile(r"&lt;/?(?:p|div|br|h[1-6]|ul|blockquote|span|em|strong|a)\b", re.IGNORECASE)
_BLOCK: Final = re.compile(r"</p>|<br\s*/?>\s*<br|</li>|</h[1-6]>|</div>", re.IGNORECASE)
# A full text may end with dots; only programs put them in brackets or ask to read on somewhere else.
_CUT_OFF: Final = re.compile(
    r"(?:\[\s*(?:…|\.\.\.)\s*\]|(?:^|…|\.{3}|[\[(])\s*(?:continue reading|read (?:more|the rest|on))\b.{0,99})\W*\Z",
    re.IGNORECASE | re.MULTILINE,
)
_LINK_ON: Final = re.compile(r"<a\b[^>]*>[^<]{0,20}\b(?:continue reading|read (?:more|the rest|on))\b", re.IGNORECASE)
_DOTS: Final = re.compile(r"(?:…|\.\.\.)\s*$")
_FULL: Final = 150
"""Words of a description without paragraphs that is taken for a whole post."""
_TITLED: Final = 40
"""Words of a description in paragraphs that is taken for a whole post."""
_ADDRESS: Final = re.compile(r"\S+@\S+")
_MAIL_AND_NAME: Final = re.compile(r"\S+@\S+\s*\((.+)\)\s*$")


@dataclass(kw_only=True)
class _Entry:
    """What feeds of all kinds say of a post."""

    id: str = ""
    title: str = ""
    day: date | None = None
    authors: tuple[str, ...] = ()
    content: str = ""
    """HTML, of the element that is for all of it."""
    summary: str = ""
    """HTML, of the element that may hold all of it or an excerpt."""
    is_summary: bool = False
    """Whether the format says that `summary` is never all of it."""
    is_podcast: bool = False
    is_reply: bool = False


def detect(file: File) -> bool:
    return root_of(file).lower() in {"rss", "feed", "rdf"} or is_json(file)


def is_json(file: File) -> bool:
    """Whether it is a JSON Feed."""
    return bool(_JSON_FEED.match(file.head))


def items(file: File) -> Iterator[Item]:
    damage: list[str] = []
    entries = _of_json(file) if is_json(file) else _of_xml(file, damage)
    excerpts: list[Item] = []
    full = False
    for number, entry in enumerate(entries, 1):
        item = _item(entry, file, number)
        if item.held == Held.EXCERPT and not full:
            excerpts.append(item)  # nobody needs them if there is nothing else
            continue
        full = True
        yield from excerpts
        excerpts.clear()
        yield item
    if excerpts:
        yield Item(external_id=file.name, reason=say("import.excerpts_only", count=len(excerpts)))
    if damage:
        raise Unreadable(damage[0])


def _item(entry: _Entry, file: File, number: int) -> Item:
    markup = entry.content.strip() or entry.summary.strip()
    if _ESCAPED_TAG.search(markup) and not _BLOCK.search(markup):
        markup = html.unescape(markup)  # escaped twice
    text = marked(markup) if _TAG.search(markup) else Marked(text=tidy(markup))
    held = None
    if entry.is_reply:
        held = Held.REPLY
    elif entry.is_podcast:
        held = Held.PODCAST
    elif _is_excerpt(entry, text, markup):
        held = Held.EXCERPT
    named = f"{entry.title} {entry.day or ''}".strip() or hashlib.sha256(markup.encode("utf-8", "replace")).hexdigest()
    return Item(
        external_id=entry.id or named or f"{file.name} {number}",
        title=plain(entry.title) if _TAG.search(entry.title) else entry.title,
        date=entry.day,
        authors=entry.authors,
        text=text.text,
        cuts=text.cuts,
        original=markup,
        held=held,
    )


def _is_excerpt(entry: _Entry, text: Marked, markup: str) -> bool:
    if _CUT_OFF.search(text.text[-300:]) or _LINK_ON.search(markup[-600:]):
        return True
    if entry.content.strip() or not markup:
        return False
    words = len(text.text.split())
    whole = words >= _FULL or (words >= _TITLED and len(_BLOCK.findall(markup)) > 1)
    return entry.is_summary or bool(_DOTS.search(text.text)) or not whole


def _of_xml(file: File, damage: list[str]) -> Iterator[_Entry]:
    authors = None
    for element in elements(file, "{*}item", "{*}entry", on_damage=damage.append):
        parent = element.getparent()
        if authors is None:  # what stands before the first entry is emptied after it
            authors = _people(parent) if parent is not None and local_name(element) == "entry" else ()
        yield _Fields(element).entry(authors)


class _Fields:
    """The children of an entry, by name; what belongs to a source or a media group is not its own."""

    def __init__(self, element: Element) -> None:
        self._element = element
        self._children: dict[str, list[Element]] = {}
        for child in element:
            if isinstance(child.tag, str):
                self._children.setdefault(local_name(child), []).append(child)

    def first(self, name: str) -> Element | None:
        return next(iter(self._children.get(name, [])), None)

    def entry(self, authors: tuple[str, ...]) -> _Entry:
        is_atom = local_name(self._element) == "entry"
        about = next((value for name, value in self._element.items() if name.endswith("}about")), "")
        content = [_markup(child, is_atom) for name in ("encoded", "body", "content") for child in self._all(name)]
        summaries = [_markup(child, is_atom) for name in ("description", "summary") for child in self._all(name)]
        dates = ("published", "pubDate", "issued", "date", "created", "updated", "modified")
        days = (mail_day(_text(child)) for name in dates for child in self._all(name))
        return _Entry(
            id=self._text("guid") or self._text("id") or about or self._link(),
            title=_title(self._own_title(), is_atom),
            day=next((found for found in days if found), None),
            authors=_people(self._element) or authors,
            content=max(content, key=len, default=""),
            summary=max(summaries, key=len, default=""),
            is_summary=is_atom,
            is_podcast=any(_is_sound(child) for name in ("enclosure", "link") for child in self._all(name)),
            is_reply=self.first("in-reply-to") is not None,
        )

    def _all(self, name: str) -> list[Element]:
        # media:content is a picture, media:description its caption.
        return [child for child in self._children.get(name, []) if "search.yahoo.com/mrss" not in child.tag]

    def _text(self, name: str) -> str:
        return _text(self.first(name))

    def _own_title(self) -> Element | None:
        """Not iTunes' nor a picture's, which have the same name in other namespaces."""
        titles = self._all("title")
        return next((title for title in titles if "itunes" not in title.tag), next(iter(titles), None))

    def _link(self) -> str:
        links = self._children.get("link", [])
        chosen = [link for link in links if link.get("rel", "alternate") == "alternate"] or links
        return next((said for link in chosen if (said := _text(link) or link.get("href", ""))), "")


def _markup(element: Element, is_atom: bool) -> str:
    """The HTML in an element: escaped, as elements, or plain text as HTML."""
    kind = (element.get("type") or ("text" if is_atom else "html")).lower()
    if kind == "xhtml" or (len(element) and kind != "text"):
        return "".join(etree.tostring(child, encoding="unicode", with_tail=True) for child in element)
    text = "".join(element.itertext())
    if kind in {"text", "text/plain"}:
        return "".join(f"<p>{html.escape(part, quote=False)}</p>" for part in tidy(text).split("\n\n") if part)
    return text if "html" in kind or not is_atom else ""


def _title(element: Element | None, is_atom: bool) -> str:
    if element is None:
        return ""
    text = _text(element)
    return html.escape(text, quote=False) if is_atom and element.get("type", "text") == "text" and "<" in text else text


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _people(element: Element | None) -> tuple[str, ...]:
    """Names of authors, without their addresses."""
    names: list[str] = []
    for child in () if element is None else element:
        if local_name(child) not in {"author", "creator"}:
            continue
        name = next((part for part in child if local_name(part) == "name"), None)
        names.append(_name(_text(child if name is None and not len(child) else name)))
    return tuple(filter(None, names))


def _name(said: str) -> str:
    """`a@example.org (A. Person)` is A. Person, and an address alone is nobody."""
    if found := _MAIL_AND_NAME.match(said):
        return found[1].strip()
    return " ".join(_ADDRESS.sub("", said).split())


def _is_sound(element: Element) -> bool:
    linked: bool = element.get("rel", "enclosure") == "enclosure"
    return linked and str(element.get("type", "")).lower().startswith(("audio/", "video/"))


def _of_json(file: File) -> Iterator[_Entry]:
    try:
        feed = json.loads(decode(file.read()).lstrip("\ufeff"))
    except (NotText, ValueError, RecursionError) as error:
        raise Unreadable(say("import.broken_json")) from error
    authors = _json_people(feed)
    entries = feed.get("items") if isinstance(feed, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        said = {name: value for name, value in entry.items() if isinstance(value, str)}
        sounds = entry.get("attachments")
        text = "".join(
            f"<p>{html.escape(part)}</p>" for part in tidy(said.get("content_text", "")).split("\n\n") if part
        )
        number = entry.get("id")
        yield _Entry(
            id=said.get("id") or (str(number) if isinstance(number, int | float) else said.get("url", "")),
            title=html.escape(said.get("title", ""), quote=False)
            if "<" in said.get("title", "")
            else said.get("title", ""),
            day=day(said.get("date_published") or said.get("date_modified")),
            authors=_json_people(entry) or authors,
            content=said.get("content_html") or text,
            summary=html.escape(said.get("summary", "")),
            is_summary=True,
            is_podcast=isinstance(sounds, list)
            and any(
                isinstance(one, dict) and str(one.get("mime_type", "")).startswith(("audio/", "video/"))
                for one in sounds
            ),
        )


def _json_people(of: object) -> tuple[str, ...]:
    if not isinstance(of, dict):
        return ()
    people = of.get("authors") or [of.get("author")]
    names = [one.get("name") for one in people if isinstance(one, dict)] if isinstance(people, list) else []
    return tuple(_name(name) for name in names if isinstance(name, str) and _name(name))
