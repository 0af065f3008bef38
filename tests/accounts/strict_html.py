"""Reads a page as the content security policy does. Knows what the policy forbids in HTML. Knows no pages."""

from __future__ import annotations

from html.parser import HTMLParser

from django.http import HttpResponse


def forbidden_in(response: HttpResponse) -> list[str]:
    """Everything in the page that the policy would block or that comes from somewhere else."""
    reader = _Reader()
    reader.feed(response.content.decode())
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in values):
            self.found.append(f"inline <{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith(("on", "hx-on", "hx-vars")):
                self.found.append(f"{name} on <{tag}>")
            if name in {"src", "href", "action"} and (value or "").startswith("javascript:"):
                self.found.append(f"{value} on <{tag}>")
            if (name == "src" or (tag, name) == ("link", "href")) and not (value or "").startswith("/static/"):
                self.found.append(f"{value} on <{tag}>")
