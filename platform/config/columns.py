"""Texts in a terminal: wrapped, or two beside each other. Knows widths. Knows nothing of what the texts are."""

from __future__ import annotations

import textwrap
from itertools import zip_longest

GAP = "   "
# Below this a column has no room for a sentence: then one text stands under the other.
NARROWEST = 30
WIDEST = 64


def wrapped(text: str, *, width: int, indent: int = 0) -> str:
    """`text` in lines of at most `width` characters, each behind `indent` spaces."""
    lead = " " * indent
    lines = [textwrap.fill(line, width, initial_indent=lead, subsequent_indent=lead) for line in text.splitlines()]
    return "\n".join(lines)


def side_by_side(left: tuple[str, str], right: tuple[str, str], *, width: int) -> str:
    """Two (title, text) pairs, wrapped into two columns that fit into `width` characters."""
    column = min((width - len(GAP)) // 2, WIDEST)
    if column < NARROWEST:
        return "\n\n".join("\n".join(_column(title, text, width)) for title, text in (left, right))
    rows = zip_longest(_column(*left, column), _column(*right, column), fillvalue="")
    return "\n".join(f"{one:<{column}}{GAP}{other}".rstrip() for one, other in rows)


def _column(title: str, text: str, width: int) -> list[str]:
    heading = textwrap.shorten(title.upper(), width, placeholder="…")
    return [heading, "-" * len(heading), *wrapped(text.strip(), width=width).splitlines()]
