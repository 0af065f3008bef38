"""A document of an office program, once it is HTML: one post with its title.
Knows where writers put titles. Knows nothing of files."""

from __future__ import annotations

from datetime import date
from typing import Final

from adapters.importers.dates import day_in_name
from adapters.importers.hypertext import Element, marked_element, parse
from adapters.importers.item import Item
from adapters.importers.marked import Marked

LONGEST_TITLE: Final = 120


def post(markup: str, *, name: str, title: str, day: date | None, author: str) -> Item:
    """`title`, `day` and `author` are what the program notes down; what the writer wrote goes before the first."""
    root = parse(markup)
    written = "" if root is None else _take_title(root)
    marked = Marked() if root is None else marked_element(root)
    return Item(
        external_id=name,
        title=written or title,
        date=day_in_name(name) or day,
        authors=(author,),
        text=marked.text,
        cuts=marked.cuts,
        original=markup,
    )


def _take_title(root: Element) -> str:
    """The first block, where it is a heading, or stands alone, is short and is no sentence."""
    body = root.find("body")
    blocks = [block for block in ([] if body is None else body) if str(block.text_content()).strip()]
    if not blocks or blocks[0].tag not in {"h1", "h2", "p"} or (blocks[0].tag == "p" and len(blocks) < 2):
        return ""
    title = " ".join(str(blocks[0].text_content()).split())
    is_sentence = len(title) > LONGEST_TITLE or title[-1] in ".,;:…" or blocks[0].find(".//sup") is not None
    if blocks[0].tag == "p" and is_sentence:
        return ""
    body.remove(blocks[0])
    return title
