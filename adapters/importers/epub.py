"""Books (.epub): each chapter a post, or the whole book where it has none.
Knows containers, packages and spines. Knows nothing of fonts, pictures and locks."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from adapters.errors import say
from adapters.importers import package
from adapters.importers.archive import Archive, opened
from adapters.importers.dates import day
from adapters.importers.decode import NotText, decode
from adapters.importers.hypertext import Element, marked_element, parse
from adapters.importers.item import File, Held, Item, Unreadable
from adapters.importers.library import guarded
from adapters.importers.marked import Cut, Marked

FORMAT: Final = "epub"
LABEL: Final = "EPUB book"

CHAPTER: Final = 200
"""Words that make a chapter. A book with two of them is read chapter by chapter, so that training can hold some back,
and its author can leave some out; a thin one, letters or poems of a page each, is one text."""
_PAGE: Final = 50
"""Words: what has fewer is a page of its own with a title, a dedication or an address."""
MOST_DOCUMENTS: Final = 2_000
_NO_CHAPTERS: Final = frozenset(
    "titlepage halftitlepage copyright-page imprint colophon cover dedication toc loi index bibliography".split()  # noqa: SIM905
)
_CONTAINER: Final = "META-INF/container.xml"


def detect(file: File) -> bool:
    return package.holds(file, _CONTAINER)


@dataclass(kw_only=True)
class _Chapter:
    name: str
    title: str
    bodies: list[Element]
    is_page: bool

    def words(self) -> int:
        return sum(len(str(body.text_content()).split()) for body in self.bodies)


def items(file: File) -> Iterator[Item]:
    with opened(file) as archive:
        if _is_locked(archive):
            raise Unreadable(say("import.encrypted_document"))
        container = package.tree(archive, _CONTAINER)
        paths = [] if container is None else [root.get("full-path", "") for root in container.iter("{*}rootfile")]
        opf = package.tree(archive, paths[0]) if paths else None
        if opf is None:
            raise Unreadable(say("import.unreadable"))
        with guarded("import.unreadable"):
            chapters = _chapters(archive, _spine(opf, posixpath.dirname(paths[0])))
    about = next(opf.iter("{*}metadata"), None)
    book = package.said(about, "title")
    source = package.said(about, "identifier") or file.name
    authors = tuple("".join(one.itertext()) for one in ([] if about is None else about.iter("{*}creator")))
    if sum(chapter.words() >= CHAPTER for chapter in chapters) < 2:
        kept = [chapter for chapter in chapters if not chapter.is_page] or chapters
        whole = _Chapter(name="", title=book, bodies=[body for one in kept for body in one.bodies], is_page=False)
        chapters = [whole] if kept else []
    for chapter in chapters:
        marked = _marked(chapter)
        yield Item(
            external_id=f"{source}#{chapter.name}".rstrip("#"),
            title=chapter.title,
            date=day(package.said(about, "date")),
            authors=authors,
            text=marked.text,
            cuts=marked.cuts,
            original=marked.text,
            held=Held.PAGE if chapter.name and (chapter.is_page or chapter.words() < _PAGE) else None,
        )


def _is_locked(archive: Archive) -> bool:
    """Whether its texts are encrypted; fonts often are, and nobody minds."""
    locks = package.tree(archive, "META-INF/encryption.xml")
    named = [] if locks is None else [one.get("URI", "") for one in locks.iter("{*}CipherReference")]
    return any(name.lower().endswith((".xhtml", ".html", ".htm", ".xml")) for name in named)


def _spine(opf: Element, folder: str) -> list[str]:
    """The names of its documents in the order in which they are read, without its table of contents."""
    manifest = {one.get("id"): one for one in opf.iter("{*}item")}
    found = []
    for reference in opf.iter("{*}itemref"):
        one = manifest.get(reference.get("idref"))
        if one is None or reference.get("linear") == "no" or "nav" in one.get("properties", "").split():
            continue
        found.append(posixpath.normpath(posixpath.join(folder, unquote(one.get("href", "")))))
    if len(found) > MOST_DOCUMENTS:
        raise Unreadable(say("import.many_pages", count=f"{len(found):,}", limit=f"{MOST_DOCUMENTS:,}"))
    return list(dict.fromkeys(found))


def _chapters(archive: Archive, names: list[str]) -> list[_Chapter]:
    chapters: list[_Chapter] = []
    for name in names:
        if name not in archive:
            continue
        try:
            body = parse(decode(package.part(archive, name)))
        except NotText:
            continue
        if body is None or not str(body.text_content()).strip():
            continue
        title = _take_heading(body)
        kinds = {
            kind for node in body.xpath("//*[@*[name()='epub:type']]") for kind in (node.get("epub:type") or "").split()
        }
        is_page = bool(kinds & _NO_CHAPTERS)
        # Programs split long chapters into files: what has no heading goes on from the one before.
        if chapters and not title and not is_page and not chapters[-1].is_page:
            chapters[-1].bodies.append(body)
        else:
            chapters.append(_Chapter(name=name, title=title, bodies=[body], is_page=is_page))
    return chapters


def _take_heading(body: Element) -> str:
    """The first heading of a document, taken out of it; a number and a name may be two lines of one heading."""
    for heading in body.iter("h1", "h2", "h3"):
        title = " ".join(part for part in (" ".join(text.split()) for text in heading.itertext()) if part)
        if title:
            heading.text, heading[:] = None, []
            return title
    return ""


def _marked(chapter: _Chapter) -> Marked:
    """Its documents one after the other."""
    text = ""
    cuts: list[Cut] = []
    for body in chapter.bodies:
        found = marked_element(body)
        start = len(text) + 2 if text and found.text else len(text)
        text = f"{text}\n\n{found.text}" if text and found.text else text + found.text
        cuts += [Cut(start=cut.start + start, end=cut.end + start, rule=cut.rule) for cut in found.cuts]
    return Marked(text=text, cuts=tuple(cuts))
