"""Days as people and blog programs write them.
Knows a few spellings. Knows nothing of time zones: a post belongs to the day its author wrote down."""

from __future__ import annotations

import re
from datetime import date, datetime

_SPELLINGS = ("%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y")
_IN_NAME = re.compile(r"(?:^|/)(\d{4}-\d{2}-\d{2})[-_ .]")


def day(value: object) -> date | None:
    """The day that a front-matter value means; None when it means none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value or "").strip()
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        pass
    for spelling in _SPELLINGS:
        try:
            return datetime.strptime(text, spelling).date()
        except ValueError:
            continue
    return None


def day_in_name(name: str) -> date | None:
    """The day at the beginning of a file name, as static blogs keep it: `2011-02-24-text-size.md`."""
    found = _IN_NAME.search(name)
    return day(found[1]) if found else None
