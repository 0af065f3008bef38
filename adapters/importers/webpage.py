"""Web pages saved as files: the post on it, without what the site puts around it.
Knows where pages keep the post, its title, day and author. Knows nothing of addresses or of single blog programs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any, Final

import trafilatura

from adapters.errors import say
from adapters.importers import front_matter
from adapters.importers.dates import day, day_in_name
from adapters.importers.decode import NotText, decode
from adapters.importers.hypertext import Element, marked_element, parse, plain
from adapters.importers.item import File, Item
from adapters.importers.library import guarded

FORMAT: Final = "webpage"
LABEL: Final = "Web page"

_ENDINGS: Final = frozenset({".html", ".htm", ".xhtml"})
_BEGINS: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_NO_NAME: Final = re.compile("://|@")
_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w-]{2,30})", re.IGNORECASE)
_BODIES: Final = (
    "//*[@itemprop='articleBody']",
    *(
        f"//*[contains(concat(' ', normalize-space(@class), ' '), ' {name} ')]"
        for name in ("e-content", "entry-content", "post-content", "article-content", "post-body", "article-body")
    ),
    "//article[not(contains(@class, 'comment')) and not(ancestor::article)]",
    "//main",
    "//*[@role='main']",
)
_LEAST: Final = 25
"""Words: an element with fewer is a teaser, not the post."""
_LARGEST_GUESS: Final = 2_000_000
"""Characters of a page that is searched for its post by its looks."""


def detect(file: File) -> bool:
    return file.suffix in _ENDINGS or bool(_BEGINS.match(file.head))


def items(file: File) -> Iterator[Item]:
    try:
        original = _decoded(file.read())
    except NotText:
        yield Item(external_id=file.name, reason=say("import.not_text"))
        return
    fields, body = front_matter.split(original) if original.startswith(("---", "+++")) else ({}, original)
    with guarded("import.unreadable"):
        item = _post(file.name, body)
    if item is None:
        yield Item(external_id=file.name, reason=say("import.empty"))
    elif fields:
        marked = marked_element(parse(body))
        yield front_matter.post(fields, name=file.name, title=item.title, marked=marked, original=original)
    else:
        yield item


def _decoded(data: bytes) -> str:
    said = _CHARSET.search(data[:4096])
    if said:
        try:
            return data.decode(said[1].decode("ascii")).replace("\0", "")
        except (LookupError, UnicodeDecodeError, ValueError):
            pass  # a page may say what it likes
    return decode(data)


def _post(name: str, markup: str) -> Item | None:
    page = parse(markup)
    if page is None:
        return None
    data = _linked_data(page)
    title = _title(page)
    found = Item(
        external_id=name,
        title=title,
        date=_date(page, data) or day_in_name(name),
        authors=_authors(page, data),
        original=markup,
    )
    body = _body(page, markup)
    if body is None:
        return found
    rules = _surroundings(body, title)
    marked = marked_element(body, rules)
    return replace(found, text=marked.text, cuts=marked.cuts)


def _body(page: Element, markup: str) -> Element | None:
    """The element that holds the post; all of a fragment, for nothing is around it."""
    if not re.search(r"<(?:html|body|head)\b", markup[:20_000], re.IGNORECASE):
        return page
    for path in _BODIES:
        longest = max(page.xpath(path), key=_length, default=None)
        if longest is not None and _length(longest) >= _LEAST:
            return longest
    if len(markup) <= _LARGEST_GUESS and (page.xpath("//nav|//header|//footer|//aside") or len(page.xpath("//a")) > 20):
        guessed = trafilatura.extract(
            markup, output_format="html", include_comments=False, include_tables=True, favor_recall=True
        )
        if guessed and (root := parse(guessed)) is not None and _length(root) >= _LEAST:
            return root
    return page


def _surroundings(body: Element, title: str) -> dict[Element, str]:
    """What stands in the post's element and is not the post; its title is taken out of the text."""
    rules: dict[Element, str] = {}
    for tag, rule in (("header", "byline"), ("footer", "boilerplate"), ("aside", "boilerplate")):
        rules.update(dict.fromkeys(body.iter(tag), rule))
    heading = next(body.iter("h1"), None)
    if heading is not None and title and _words(heading) == title:
        heading.text, heading[:] = None, []
    return rules


def _title(page: Element) -> str:
    headings = [_words(heading) for heading in page.iter("h1")]
    said = [_meta(page, "og:title"), *(_words(title) for title in page.xpath("//head/title"))]
    # Sites add their name to the title: the heading that it begins with is the post's own.
    for whole in said:
        for heading in headings:
            if heading and whole.startswith(heading):
                return heading
    return next((found for found in [said[0], headings[0] if len(headings) == 1 else "", *said[1:]] if found), "")


def _date(page: Element, data: dict[str, Any]) -> date | None:
    said = [
        _meta(page, "article:published_time"),
        data.get("datePublished"),
        *(
            _meta(page, name)
            for name in ("date", "dc.date", "dcterms.date", "dc.date.issued", "pubdate", "datePublished")
        ),
        *page.xpath("//article//time[@pubdate or contains(@class, 'published')]/@datetime"),
        *page.xpath("//*[@itemprop='datePublished']/@content | //*[@itemprop='datePublished']/@datetime"),
        *page.xpath("(//article//time/@datetime | //time[contains(@class, 'dt-published')]/@datetime)[1]"),
    ]
    return next((found for found in map(day, said) if found), None)


def _authors(page: Element, data: dict[str, Any]) -> tuple[str, ...]:
    people = data.get("author")
    named = [
        one.get("name") if isinstance(one, dict) else one for one in (people if isinstance(people, list) else [people])
    ]
    said = [
        (_meta(page, "author"),),
        tuple(plain(name) for name in named if isinstance(name, str)),
        *((_words(link),) for link in page.xpath("//*[@rel='author'] | //*[contains(@class, 'p-author')]")[:1]),
    ]
    named_there = (tuple(name for name in names if name and not _NO_NAME.search(name)) for names in said)
    return next(filter(None, named_there), ())


def _linked_data(page: Element) -> dict[str, Any]:
    """What the page says of the post to search engines."""
    for script in page.xpath("//script[@type='application/ld+json']")[:10]:
        try:
            said = json.loads(script.text or "")
        except (ValueError, RecursionError):
            continue
        graph = said.get("@graph") if isinstance(said, dict) else said
        for one in [said, *(graph if isinstance(graph, list) else [])]:
            if isinstance(one, dict) and ("datePublished" in one or "headline" in one):
                return one
    return {}


def _meta(page: Element, name: str) -> str:
    found = page.xpath("//meta[@property=$name or @name=$name or @itemprop=$name]/@content", name=name)
    return " ".join(str(found[0]).split()) if found else ""


def _words(node: Element) -> str:
    return " ".join(str(node.text_content()).split())


def _length(node: Element) -> int:
    return len(str(node.text_content()).split())
