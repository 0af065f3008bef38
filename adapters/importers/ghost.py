"""Ghost's export and what its Content API answers, as JSON.
Knows posts, their authors and their states. Knows nothing of bodies (see `ghost_body`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

from adapters.errors import say
from adapters.importers import ghost_body
from adapters.importers.dates import day
from adapters.importers.hypertext import as_paragraphs, marked
from adapters.importers.item import File, Held, Item
from adapters.importers.loose_json import first, load, record, records, text
from adapters.importers.prose import as_html

FORMAT: Final = "ghost"
LABEL: Final = "Ghost export"

_EXPORT: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(db|data|meta|posts)"\s*:\s*[\[{]')
_FIELDS: Final = re.compile(
    rb'"(?:mobiledoc|lexical|comment_id|custom_excerpt|codeinjection_head|feature_image|posts_tags)"'
)
# The first that says something is the body: Ghost renders HTML of all that it has published.
_BODIES: Final[dict[str, Callable[[str], str]]] = {
    "html": ghost_body.from_html,
    "lexical": ghost_body.from_lexical,
    "mobiledoc": ghost_body.from_mobiledoc,
    "markdown": as_html,
    "plaintext": as_paragraphs,
}
_STATUSES: Final = {"draft": Held.DRAFT, "scheduled": Held.SCHEDULED}


def detect(file: File) -> bool:
    found = _EXPORT.match(file.head)
    return bool(found and (found[1] == b"db" or _FIELDS.search(file.head)))


def items(file: File) -> Iterator[Item]:
    export = record(load(file))
    for data in _tables(export):
        names = _authors(data)
        for post in records(data.get("posts")):
            yield _item(post, names)


def _tables(export: dict[str, Any]) -> list[dict[str, Any]]:
    if "db" in export:
        return [record(part.get("data")) for part in records(export["db"])]
    return [record(export.get("data")) or export]


def _authors(data: dict[str, Any]) -> dict[str, list[str]]:
    """Names by the post's id, in their order."""
    names = {text(user.get("id")): text(user.get("name")) for user in records(data.get("users"))}
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for link in records(data.get("posts_authors")):
        place = text(link.get("sort_order")).zfill(9)
        found[text(link.get("post_id"))].append((place, names.get(text(link.get("author_id")), "")))
    by_post = {post: [name for _, name in sorted(links) if name] for post, links in found.items()}
    for post in records(data.get("posts")):
        # The API's answers and the first versions name authors in the post.
        own = [text(author.get("name")) for author in records(post.get("authors"))]
        own = own or [names.get(first(post, "author_id", "author"), "")]
        by_post.setdefault(text(post.get("id")), [name for name in own if name])
    return by_post


def _item(post: dict[str, Any], names: dict[str, list[str]]) -> Item:
    external_id = first(post, "id", "uuid", "slug")
    title = text(post.get("title"))
    try:
        original, markup = _body(post)
    except RecursionError:
        return Item(external_id=external_id, title=title, reason=say("import.broken_post"))
    found = marked(markup)
    page = post.get("type") == "page" or post.get("page") in (True, 1)
    return Item(
        external_id=external_id,
        title=title,
        date=day(text(post.get("published_at"))),
        authors=tuple(names.get(text(post.get("id")), ())),
        text=found.text,
        cuts=found.cuts,
        original=original,
        held=Held.PAGE if page else _STATUSES.get(text(post.get("status"))),
    )


def _body(post: dict[str, Any]) -> tuple[str, str]:
    """As it was written, and as HTML."""
    for name, as_markup in _BODIES.items():
        original = text(post.get(name))
        if original and (markup := as_markup(original)):
            return original, markup
    return "", ""
