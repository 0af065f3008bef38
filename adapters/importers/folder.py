"""Zips of texts: a static blog's folder, or any files, each read by the importer that knows it.
Knows where blog programs keep posts, drafts and pages, and what of theirs is no writing. Knows no single format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

# The list of formats holds this module as well: it is looked at only when a zip is read.
import adapters.importers as importers
from adapters.errors import say
from adapters.importers.archive import is_zip, opened
from adapters.importers.dates import day_in_name
from adapters.importers.item import File, Held, Item, Unreadable

FORMAT: Final = "folder"
LABEL: Final = "A folder of texts"

_TEXTS: Final = frozenset(
    "md markdown mdown mdx txt text html htm xhtml docx odt epub pdf rtf eml mbox xml rss atom json".split()  # noqa: SIM905
)
_OTHER_TEXTS: Final = frozenset("rst adoc asciidoc org textile doc docm pages wpd odp wps csv zip".split())  # noqa: SIM905
"""Writing that is not read: its author is told so. Every other ending is silent."""
_QUIET_UNLESS_KNOWN: Final = frozenset("xml json csv".split())  # noqa: SIM905
"""Settings and site maps have these endings, too."""
_NO_POSTS: Final = re.compile(
    r"(?:readme|licen[cs]e|changelog|contributing|code_of_conduct|security|authors|notice|codeowners|pull_request_template"
    r"|issue_template|todo|makefile|requirements[\w-]*|archive_browser|robots|humans|ads|security|404|search|_index|cmakelists)",
    re.IGNORECASE,
)
_PROGRAM: Final = frozenset("_site _layouts _includes _sass _data _plugins node_modules bower_components".split())  # noqa: SIM905
"""Folders that belong to a blog program wherever they are."""
_PROGRAM_IN_SITES: Final = frozenset(
    "layouts archetypes themes theme static assets public output dist build vendor partials templates i18n".split()  # noqa: SIM905
)
"""Folders that belong to it if there is one: elsewhere somebody may keep poems in a folder of this name."""
_SITE: Final = re.compile(
    r"(?:_config\.ya?ml|(?:hugo|config)\.(?:toml|ya?ml|json)|\.?eleventy(?:\.config)?\.[cm]?js|pelicanconf\.py"
    r"|gatsby-config\.[jt]s|astro\.config\.\w+|gemfile|package\.json)",
    re.IGNORECASE,
)
_CONTENT: Final = frozenset("_posts _drafts _pages posts drafts pages content".split())  # noqa: SIM905
"""A root of this name says something, and stays."""
_DRAFTS: Final = frozenset({"_drafts", "drafts"})
_PAGES: Final = frozenset({"_pages", "pages"})
_LIQUID: Final = re.compile(
    rb"\{%[-\s]*(?:include|layout|for|if|extends|block|assign|render|set)\b|\{\{[^{}]{1,200}\}\}"
)


def detect(file: File) -> bool:
    return is_zip(file)


def items(file: File) -> Iterator[Item]:
    with opened(file) as archive:
        root = _root(archive.names)
        paths = {name: _path(name, root) for name in archive.names}
        is_site = any(_SITE.fullmatch(path.name) and len(path.parts) <= 2 for path in paths.values())
        has_posts = any("_posts" in path.parts for path in paths.values())
        for name, path in paths.items():
            if not _may_be_post(path, is_site):
                continue
            try:
                # A mailbox may be larger than memory; its importer reads it mail by mail.
                entry = archive.streamed(name) if path.suffix.lower() == ".mbox" else _in_memory(archive.get(name))
                yield from _items(entry, path, _held(path, has_posts))
            except Unreadable as error:
                yield Item(external_id=str(path), reason=str(error))


def _items(entry: File, path: PurePosixPath, held: Held | None) -> Iterator[Item]:
    suffix = path.suffix.lower()[1:]
    if suffix in _OTHER_TEXTS - _QUIET_UNLESS_KNOWN:
        yield Item(
            external_id=str(path), reason=say("import.nested_zip" if suffix == "zip" else "import.unknown_format")
        )
        return
    text = replace(entry, name=str(path))
    if suffix in {"html", "htm"} and "_posts" not in path.parts and _LIQUID.search(text.head):
        return  # a template of the blog program
    importer = importers.importer_of(text)
    if importer is None:
        if suffix not in _QUIET_UNLESS_KNOWN:
            yield Item(external_id=str(path), reason=importers.unknown(text))
        return
    if importer.FORMAT == FORMAT:
        yield Item(external_id=str(path), reason=say("import.nested_zip"))
        return
    for item in importer.items(text):
        yield replace(item, held=item.held or held, date=item.date or day_in_name(entry.name))


def _in_memory(file: File) -> File:
    """Unpacked once, however often it is looked into."""
    return File.of(file.name, file.read())


def _root(names: list[str]) -> str:
    """The folder that everything lies in, with its slash; empty where there is none or it says something."""
    first, slash, _ = (names[0].replace("\\", "/") if names else "").partition("/")
    common = slash and all(name.replace("\\", "/").startswith(first + slash) for name in names)
    return first + slash if common and first not in _CONTENT and not day_in_name(first) else ""


def _path(name: str, root: str) -> PurePosixPath:
    """Below the root; a name that would lead out of the folder is one in it."""
    return PurePosixPath(
        *(part for part in PurePosixPath(name.replace("\\", "/")[len(root) :]).parts if part not in "/..")
    )


def _may_be_post(path: PurePosixPath, is_site: bool) -> bool:
    folders = {part.lower() for part in path.parts[:-1]}
    if folders & _PROGRAM or (is_site and folders & _PROGRAM_IN_SITES):
        return False
    if _NO_POSTS.fullmatch(path.stem) or (path.stem == "index" and len(path.parts) == 1 and path.suffix == ".html"):
        return False
    return path.suffix.lower()[1:] in _TEXTS | _OTHER_TEXTS


def _held(path: PurePosixPath, has_posts: bool) -> Held | None:
    folders = {part.lower() for part in path.parts[:-1]}
    if folders & _DRAFTS:
        return Held.DRAFT
    # Beside a folder of posts, what lies at the root is "About" and the like.
    if folders & _PAGES or (has_posts and len(path.parts) == 1):
        return Held.PAGE
    return None
