"""WordPress's shortcodes, the commands in square brackets: what they hold becomes HTML that says what it is.
Knows the brackets and the names in use. Knows nothing of paragraphs or exports."""

from __future__ import annotations

import html
import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

# What cannot stand within the brackets ends the search, so that a text made of nothing but openings is read in one go.
_TAG: Final = re.compile(r"(\[?)\[(/?)([a-z][\w-]*)((?:[\s/][^\[\]]*)?)\](\]?)", re.IGNORECASE)
_ARGUMENT: Final = re.compile(r"[\w-]\s*=\s*[\"'“”‘’\w&]")
_MARKUP: Final = re.compile(r"(<[^<>]*>)")
_CAPTION: Final = re.compile(r"""\bcaption\s*=\s*(?:"([^"]*)"|'([^']*)')""")

_CODE: Final = frozenset(
    "code sourcecode source highlight_code php css html xml js javascript python ruby bash sql latex math pre".split()  # noqa: SIM905
)
_AROUND: Final = {  # what they hold is no prose
    "caption": '<div class="wp-caption-text">',
    "wp_caption": '<div class="wp-caption-text">',
    "embed": '<div class="embed">',
    "audio": '<div class="embed">',
    "video": '<div class="embed">',
    "playlist": '<div class="embed">',
    "youtube": '<div class="embed">',
    "vimeo": '<div class="embed">',
    "button": '<div class="wp-block-button">',
    "contact-form": '<div class="wp-block-button">',
    "quote": "<blockquote>",
    "blockquote": "<blockquote>",
    "pullquote": "<blockquote>",
}
_KNOWN: Final = frozenset(
    """
    archives audio contact-form contact-form-7 embed gallery gist instagram jetpack_subscription_form more nextpage
    playlist polldaddy recent-posts sharethis slideshow soundcloud spotify toc tweet video vimeo youtube
    """.split()  # noqa: SIM905
)


def without_shortcodes(markup: str) -> str:
    """`markup` with every shortcode as an element: its class is the one that tells what it is.

    What unknown shortcodes hold is the author's; only the brackets are marked. Brackets in the author's own sentences,
    `[sic]`, stay.
    """
    return "".join(_Shortcodes(markup).parts())


class _Shortcodes:
    def __init__(self, markup: str) -> None:
        self._markup = markup
        # Outside of elements' own brackets: an address may have square ones in it.
        self._tags = [tag for start, end in _texts(markup) for tag in _TAG.finditer(markup, start, end)]
        self._ends: dict[str, list[int]] = defaultdict(list)
        for number, tag in enumerate(self._tags):
            if tag[2]:
                self._ends[tag[3].lower()].append(number)

    def parts(self) -> Iterator[str]:
        start = 0
        number = 0
        closing: dict[int, str] = {}
        while number < len(self._tags):
            tag = self._tags[number]
            yield self._markup[start : tag.start()]
            start = tag.end()
            name = tag[3].lower()
            end = self._end_of(name, number)
            if tag[1] and tag[5]:  # doubled brackets: the author writes about shortcodes
                yield tag[0][1:-1]
            elif number in closing:
                yield tag[1] + closing[number] + tag[5]
            elif name in _CODE and end:
                listing = self._markup[start : self._tags[end].start()].replace("<", "&lt;").replace(">", "&gt;")
                yield f"{tag[1]}<pre>{listing}</pre>{self._tags[end][5]}"
                number, start = end, self._tags[end].end()
            elif name in _AROUND and end and end not in closing:
                closing[end] = "</blockquote>" if _AROUND[name] == "<blockquote>" else "</div>"
                yield tag[1] + _AROUND[name] + _caption(tag[4]) + tag[5]
            elif end or tag[2] or name in _KNOWN or tag[4].endswith("/") or _ARGUMENT.search(tag[4]):
                command = f"[{tag[2]}{tag[3]}{tag[4]}]"
                yield f'{tag[1]}<span class="shortcode">{html.escape(command)}</span>{tag[5]}'
            else:
                yield tag[0]
            number += 1
        yield self._markup[start:]

    def _end_of(self, name: str, number: int) -> int:
        """The number of the tag that closes it; 0 for none, since the first tag closes nothing."""
        ends = self._ends.get(name, [])
        place = bisect(ends, number)
        return ends[place] if place < len(ends) and not self._tags[number][2] else 0


def _texts(markup: str) -> Iterator[tuple[int, int]]:
    start = 0
    for tag in _MARKUP.finditer(markup):
        yield start, tag.start()
        start = tag.end()
    yield start, len(markup)


def _caption(arguments: str) -> str:
    found = _CAPTION.search(arguments)
    return html.escape(html.unescape(found[1] or found[2] or "")) if found else ""
