"""A web server on this machine, an internet that leads to it, and feeds for it to give.
Knows HTTP as far as tests need it. Knows nothing of what is fetched."""

from __future__ import annotations

import asyncio
import ipaddress
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from adapters.importers import Unreadable
from adapters.importers.addresses import Internet
from adapters.importers.fetch import fetch

WORDS = "The ferry was late, and I wrote down why it was late and who was on it."
Answer = Callable[[asyncio.StreamWriter], object]


@dataclass
class Server:
    """Answers on 127.0.0.1 with what a test puts on its pages."""

    pages: dict[str, bytes] = field(default_factory=dict)
    drip: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """Path: what is sent at once, and what is sent again and again."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Host header and path of each request."""
    port: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ")[1]
            host = next(line[6:] for line in head.split("\r\n") if line.lower().startswith("host: "))
            self.asked.append((host, path))
            if path in self.drip:
                first, rest = self.drip[path]
                writer.write(first)
                while True:
                    await asyncio.sleep(0.02)
                    writer.write(rest)
                    await writer.drain()
            writer.write(self.pages.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def internet(self, hosts: dict[str, list[str]] | None = None) -> Internet:
        async def resolve(host: str, port: int) -> list[str]:
            known = {"tides.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"], **(hosts or {})}
            if host not in known:
                raise OSError("no such name")
            return known[host]

        def may_reach(address: object) -> bool:
            return address == ipaddress.ip_address("127.0.0.1")

        return Internet(resolve=resolve, may_reach=may_reach, ports=frozenset({self.port}))

    def at(self, path: str, host: str = "tides.example") -> str:
        return f"http://{host}:{self.port}{path}"


def page(body: str | bytes, kind: str = "application/rss+xml", status: str = "200 OK", more: str = "") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n{more}\r\n"
    )
    return head.encode() + data


def moved(to: str) -> bytes:
    return page("", status="302 Found", more=f"Location: {to}\r\n")


def rss(*posts: str, more: str = "") -> bytes:
    items = "".join(
        f"<item><guid>{post}</guid><description>{(WORDS + ' ') * 20}</description></item>" for post in posts
    )
    return page(f'<rss xmlns:atom="http://www.w3.org/2005/Atom"><channel>{more}{items}</channel></rss>')


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        listening.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(5)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(5)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as running:
        yield running


def refused(server: Server, address: str, **limits: float) -> str:
    with pytest.raises(Unreadable) as error:
        fetch(address, internet=server.internet(), **limits)
    return str(error.value)
