"""Medium's export, a zip of pages, and a single page of it.
Knows how Medium marks a story up, and tells stories, drafts and responses apart. Knows nothing of words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from adapters.errors import say
from adapters.importers.archive import is_zip, opened
from adapters.importers.dates import day
from adapters.importers.decode import NotText, decode
from adapters.importers.hypertext import Element, marked_element, parse
from adapters.importers.item import File, Held, Item, Unreadable

FORMAT: Final = "medium"
LABEL: Final = "Medium export"

_STORY: Final = re.compile(r"(?:^|/)posts/[^/]+\.html?$")
_DRAFT: Final = re.compile(r"(?:^|/)draft_[^/]*$")
_ID: Final = re.compile(r"-([0-9a-f]{10,12})\.html?$")
_LOOKED_INTO: Final = 3
"""Stories of a zip that tell whether it is Medium's."""


def detect(file: File) -> bool:
    if is_zip(file):
        with opened(file) as archive:
            stories = [name for name in archive.names if _STORY.search(name)][:_LOOKED_INTO]
            return any(_is_story(archive.get(name)) for name in stories)
    return file.suffix in {".html", ".htm"} and _is_story(file)


def items(file: File) -> Iterator[Item]:
    if not is_zip(file):
        yield _item(file)
        return
    with opened(file) as archive:
        for name in archive.names:
            if _STORY.search(name):
                yield _item(archive.get(name))


def _is_story(file: File) -> bool:
    try:
        head = file.head
    except Unreadable:  # one story is damaged: the others are not
        return False
    return b"h-entry" in head and b'data-field="body"' in head


def _item(file: File) -> Item:
    # The id at the end of a file's name stays when a draft is published or a title changed.
    found = _ID.search(file.name)
    external_id = found[1] if found else file.name
    try:
        original = decode(file.read())
    except NotText:
        return Item(external_id=external_id, reason=say("import.not_text"))
    except Unreadable as error:
        return Item(external_id=external_id, reason=str(error))
    page = parse(original)
    body = None if page is None else _one(page, ".//*[@data-field='body']")
    if page is None or body is None:
        return Item(external_id=external_id, reason=say("import.broken_post"))
    # What stands around the body, a summary and a footer, is Medium's and not the post's.
    heading = _of_class(body, "graf--title")
    title = _words(heading) or _words(_of_class(page, "p-name"))
    if heading is not None:
        heading.clear(keep_tail=True)
    text = marked_element(body)
    time = _of_class(page, "dt-published")
    published = time is not None or _of_class(page, "p-canonical") is not None
    held = None
    if _DRAFT.search(file.name) or not published:
        held = Held.DRAFT
    elif heading is None and _begins_with(text.text, title):
        held = Held.REPLY
    return Item(
        external_id=external_id,
        title=title,
        date=None if time is None else day(time.get("datetime")),
        authors=(_words(_of_class(page, "p-author")),),
        text=text.text,
        cuts=text.cuts,
        original=original,
        held=held,
    )


def _begins_with(text: str, title: str) -> bool:
    """A response has no title of its own: Medium calls it by its first words."""
    title = title.rstrip("… .")
    return bool(title) and " ".join(text.split()).startswith(title)


def _of_class(root: Element, name: str) -> Element | None:
    return _one(root, f".//*[contains(concat(' ', normalize-space(@class), ' '), ' {name} ')]")


def _one(root: Element, path: str) -> Element | None:
    return next(iter(root.xpath(path)), None)


def _words(element: Element | None) -> str:
    return "" if element is None else " ".join(str(element.text_content()).split())
