"""A feed or page by its address: the one importer's module that reaches the network.
Knows redirects, limits and how many pages are enough. Knows nothing of what is in them (see `paging`)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx

from adapters.errors import say
from adapters.importers import feed
from adapters.importers.addresses import Internet
from adapters.importers.hypertext import parse
from adapters.importers.item import File, Unreadable
from adapters.importers.paging import Page, page_of

LARGEST: Final = 20_000_000
"""Bytes of everything that is read for one address."""
LONGEST: Final = 30.0
"""Seconds, in all."""
MOST_REDIRECTS: Final = 5
MOST_PAGES: Final = 50
MOST_IN_VAIN: Final = 3
"""Pages one after the other that bring no post that earlier ones have not brought."""
_TYPES: Final = (
    "application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/xml", "text/xml", "text/html",
    "application/json", "application/feed+json", "application/xhtml+xml", "text/plain", "text/markdown",
)  # fmt: skip
_FEEDS: Final = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
_HEADERS: Final = {
    "User-Agent": "Idiolect (reads a blog for its author)",
    "Accept": "application/atom+xml, application/rss+xml, application/feed+json, text/html;q=0.8, */*;q=0.1",
    "Accept-Encoding": "identity",
}
_REFUSALS: Final = {
    401: "import.address_locked",
    403: "import.address_locked",
    404: "import.address_gone",
    410: "import.address_gone",
}


def fetch(
    address: str,
    *,
    on_damage: Callable[[str], None] = lambda sentence: None,
    internet: Internet = Internet(),  # noqa: B008  frozen
    longest: float = LONGEST,
    largest: int = LARGEST,
) -> File:
    """What is at `address`: a feed with its next pages as one, the feed of a page that has one, or the page.

    Its name is the address it was found at. `on_damage` is told a sentence when next pages could not be read. Raises
    Unreadable. Not to be called where an event loop runs.
    """
    return asyncio.run(_Fetch(on_damage, internet, longest, largest).file(address.strip()))


@dataclass(frozen=True, kw_only=True)
class _Answer:
    address: httpx.URL
    data: bytes

    def file(self) -> File:
        return File.of(str(self.address), self.data)


class _Fetch:
    """One visit, with what is left of its time and bytes."""

    def __init__(self, on_damage: Callable[[str], None], internet: Internet, longest: float, largest: int) -> None:
        self._on_damage = on_damage
        self._internet = internet
        self._longest = longest
        self._until = time.monotonic() + longest
        self._largest = largest
        self._left = largest

    async def file(self, address: str) -> File:
        found = await self._read(_url(address))
        file = found.file()
        if not feed.detect(file):
            named = _feed_of(found)
            if named is None:
                return file
            found = await self._read(named)
            file = found.file()
            if not feed.detect(file):
                raise Unreadable(say("import.address_no_feed", address=str(found.address)[:200]))
        return await self._with_next_pages(found)

    async def _with_next_pages(self, first: _Answer) -> File:
        whole = page_of(first.file())
        if whole is None or not whole.following:
            return first.file()
        self._tell_damage(first, whole)
        last = first
        seen = {str(first.address)}
        in_vain = 0
        try:
            # A feed may go round in circles, or give the same page under every address.
            while whole.following and in_vain < MOST_IN_VAIN:
                following = _url(str(_joined(last, whole.following)))
                if str(following) in seen:
                    break
                if len(seen) >= MOST_PAGES:
                    raise Unreadable(say("import.address_many_pages", limit=MOST_PAGES))
                last = await self._read(following)
                page = page_of(last.file())
                if page is None:
                    raise Unreadable(say("import.address_no_page", address=str(last.address)[:200]))
                self._tell_damage(last, page)
                seen.add(str(following))
                in_vain = 0 if whole.add(page) else in_vain + 1
        except Unreadable as error:
            self._on_damage(say("import.address_some_pages", count=len(seen), why=str(error)))
        return File.of(str(first.address), whole.data())

    def _tell_damage(self, answer: _Answer, page: Page) -> None:
        # Put together with others it is whole again, and its importer cannot tell.
        if page.damaged:
            self._on_damage(say("import.repaired_page", address=str(answer.address)[:200], line=page.damaged))

    async def _read(self, url: httpx.URL) -> _Answer:
        """What is there in the end, every address on the way checked."""
        try:
            # A deadline around everything: a server that drips its headers is never late by any single wait.
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._until - time.monotonic()):
                for _ in range(MOST_REDIRECTS + 1):
                    answer = await self._get(url)
                    if isinstance(answer, _Answer):
                        return answer
                    url = answer
        except TimeoutError as error:
            raise Unreadable(say("import.address_slow", seconds=round(self._longest))) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unreadable(say("import.address_silent", host=url.host)) from error
        raise Unreadable(say("import.address_redirects", limit=MOST_REDIRECTS))

    async def _get(self, url: httpx.URL) -> _Answer | httpx.URL:
        """What is at `url`, or where it has gone."""
        port = url.port or (443 if url.scheme == "https" else 80)
        checked = await self._internet.checked(url.raw_host.decode("ascii"), port)
        # The connection goes to the address that was checked: asked again, a name might give another. No proxy of the
        # environment is used, for it would ask again.
        request = httpx.Request(
            "GET",
            url.copy_with(host=checked),
            headers={**_HEADERS, "Host": url.netloc.decode("ascii")},
            extensions={
                "sni_hostname": url.raw_host.decode("ascii"),
                "timeout": httpx.Timeout(self._longest).as_dict(),
            },
        )
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
            answer = await client.send(request, stream=True)
            try:
                if answer.is_redirect and "location" in answer.headers:
                    return _url(str(url.join(answer.headers["location"])))
                return _Answer(address=url.copy_with(fragment=None), data=await self._body(answer, url))
            finally:
                await answer.aclose()

    async def _body(self, answer: httpx.Response, url: httpx.URL) -> bytes:
        if not answer.is_success:
            sentence = _REFUSALS.get(answer.status_code, "import.address_failed")
            raise Unreadable(say(sentence, host=url.host, status=answer.status_code))
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and kind not in _TYPES and not kind.endswith(("+xml", "+json")):
            raise Unreadable(say("import.address_type", kind=kind[:80]))
        parts = []
        async for part in answer.aiter_bytes():
            self._left -= len(part)
            if self._left < 0:
                raise Unreadable(say("import.address_large", limit=self._largest // 1_000_000))
            parts.append(part)
        return b"".join(parts)


def _url(address: str) -> httpx.URL:
    """An address that may be asked. Raises Unreadable."""
    if "://" not in address and "." in address.partition("/")[0]:
        address = f"https://{address}"
    try:
        url = httpx.URL(address)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Unreadable(say("import.address_wrong")) from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise Unreadable(say("import.address_wrong"))
    if url.userinfo:
        raise Unreadable(say("import.address_credentials"))
    return url


def _joined(page: _Answer, reference: str) -> httpx.URL:
    """Where a page's reference leads. Raises Unreadable."""
    try:
        return page.address.join(reference.strip())
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise Unreadable(say("import.address_wrong")) from error


def _feed_of(page: _Answer) -> httpx.URL | None:
    """The address of the feed that a page names, but for that of its comments."""
    root = parse(page.data.decode("utf-8", "replace"))
    for link in () if root is None else root.iter("link"):
        named = "alternate" in (link.get("rel") or "").lower().split() and (link.get("type") or "").lower() in _FEEDS
        of_comments = "comment" in f"{link.get('title', '')} {link.get('href', '')}".lower()
        if named and link.get("href", "").strip() and not of_comments:
            return _url(str(_joined(page, link.get("href"))))
    return None
