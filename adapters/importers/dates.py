"""Days as people and blog programs write them.
Knows a few spellings. Knows nothing of time zones: a post belongs to the day its author wrote down."""

from __future__ import annotations

import re
from datetime import date, datetime
from email.utils import parsedate

_SPELLINGS = ("%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y")
_IN_NAME = re.compile(r"(?:^|/)(\d{4})-(\d{1,2})-(\d{1,2})(?=[-_ ./]|$)|(?:^|/)(\d{4})/(\d{2})/(\d{2})(?=[-_ ./])")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_LONGEST = 100


def day(value: object) -> date | None:
    """The day that a front-matter value means; None when it means none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value or "").strip()[:_LONGEST]
    if found := _ISO.match(text):
        return _day(*found.groups())
    for spelling in _SPELLINGS:
        try:
            return datetime.strptime(text, spelling).date()
        except ValueError:
            continue
    return None


def mail_day(value: object) -> date | None:
    """The day of a date as mails and feeds write it, `Mon, 06 Jan 2020 09:30:00 GMT`, or in any other spelling."""
    text = str(value or "").strip()[:_LONGEST]
    try:
        parts = parsedate(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        parts = None
    return _day(*parts[:3]) if parts else day(text)


def day_in_name(name: str) -> date | None:
    """The day in a path as static blogs keep it: `2011-02-24-text-size.md`, `2011-02-24-text-size/index.md`,
    `2011/02/24/text-size.md`. The one nearest to the file's name counts."""
    days = (_day(*(part for part in found.groups() if part)) for found in _IN_NAME.finditer(name))
    return next((found for found in reversed(list(days)) if found), None)


def _day(year: str | int, month: str | int, number: str | int) -> date | None:
    try:
        return date(int(year), int(month), int(number))
    except ValueError:
        return None
