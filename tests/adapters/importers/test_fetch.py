"""What is read by its address, from a server on this machine that an internet of the test's own leads to."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from adapters.importers import Unreadable, read
from adapters.importers.addresses import Internet, is_public
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


def test_a_feed_is_read_and_called_by_its_address(server):
    server.pages["/feed"] = rss("a", "b")
    file = fetch(server.at("/feed"), internet=server.internet())
    assert file.name == server.at("/feed")
    assert [item.external_id for item in read(file)] == ["a", "b"]


def test_the_connection_goes_to_the_checked_address_with_the_name_in_its_header(server):
    server.pages["/feed"] = rss("a")
    fetch(server.at("/feed"), internet=server.internet())
    assert server.asked == [(f"tides.example:{server.port}", "/feed")]


def test_a_name_is_resolved_once_for_each_request(server):
    """A name that leads somewhere else the second time is never asked a second time."""
    server.pages["/feed"] = rss("a")
    answers = [["127.0.0.1"], ["10.0.0.1"]]

    async def resolve(host: str, port: int) -> list[str]:
        return answers.pop(0)

    internet = Internet(resolve=resolve, may_reach=server.internet().may_reach, ports=frozenset({server.port}))
    assert fetch(server.at("/feed"), internet=internet).size
    assert answers == [["10.0.0.1"]]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.192", "198.18.0.1",
        "168.63.129.16", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:93.184.216.34",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "::127.0.0.1", "fec0::1",
        "2001:db8::1",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700::1111"])
def test_an_address_outside_is_public(address):
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/", "http://localhost", "http://[::1]/", "http://2130706433/", "http://0x7f.1/", "[::1]"],
)  # fmt: skip
def test_this_machine_is_never_reached_by_any_spelling(address):
    with pytest.raises(Unreadable, match=r"not on the public internet|was not found|no address"):
        fetch(address)


def test_a_name_with_one_foot_inside_is_refused(server):
    server.pages["/feed"] = rss("a")
    internet = server.internet({"tides.example": ["127.0.0.1", "10.0.0.1"]})
    with pytest.raises(Unreadable, match="not on the public internet"):
        fetch(server.at("/feed"), internet=internet)
    assert not server.asked


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ftp://tides.example/feed", "begins with https"),
        ("file:///etc/passwd", "begins with https"),
        ("javascript:alert(1)", "begins with https"),
        ("", "begins with https"),
        ("http://", "begins with https"),
        ("http://[::1", "begins with https"),
        ("http://user:secret@tides.example/", "has a password"),
        ("http://tides.example:22/", "Port 22"),
        ("http://nowhere.example:{port}/", "was not found"),
        ("http://inside.example:{port}/", "not on the public internet"),
        ("http://tides.example:{port}/nothing", "nothing at this address"),
    ],
)
def test_every_refusal_is_a_sentence(server, address, said):
    assert said in refused(server, address.format(port=server.port))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (page("", status="401 Unauthorized"), "does not let everybody read"),
        (page("", status="503 Unavailable"), "answered with an error (503)"),
        (page("x", kind="image/png"), "type image/png"),
        (page("", status="302 Found", more="Location: http://inside.example/\r\n"), "Port 80"),
        (b"SSH-2.0-OpenSSH_9\r\n", "does not answer as web servers do"),
        (b"", "does not answer as web servers do"),
    ],
)
def test_what_a_server_may_answer(server, answer, said):
    server.pages["/feed"] = answer
    assert said in refused(server, server.at("/feed"))


def test_a_redirect_is_followed_and_checked_like_any_address(server):
    server.pages["/feed"] = rss("a")
    server.pages["/old"] = moved("/feed")
    assert fetch(server.at("/old"), internet=server.internet()).name == server.at("/feed")
    server.pages["/inside"] = moved(server.at("/feed", "inside.example"))
    assert "inside.example is not on the public internet" in refused(server, server.at("/inside"))
    server.pages["/file"] = moved("file:///etc/passwd")
    assert "begins with https" in refused(server, server.at("/file"))


def test_five_redirects_are_followed_and_no_more(server):
    server.pages.update({f"/{number}": moved(f"/{number + 1}") for number in range(6)})
    server.pages["/6"] = rss("a")
    assert fetch(server.at("/1"), internet=server.internet()).size
    assert "more than 5 times" in refused(server, server.at("/0"))


def test_a_feed_that_never_ends_is_given_up(server):
    server.drip["/feed"] = (b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<rss>", b"<item/>" * 2_000)
    assert "more than 0 MB" in refused(server, server.at("/feed"), largest=100_000)


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<rss>", b" "),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a"),
        (b"", b""),
    ],
)
def test_a_server_that_drips_is_given_up(server, first, rest):
    server.drip["/feed"] = (first, rest)
    assert "within 1 seconds" in refused(server, server.at("/feed"), longest=0.6)


@pytest.mark.parametrize("kind", ["application/rss+xml", "application/atom+xml", "application/feed+json"])
def test_the_feed_that_a_page_names_is_read_instead(server, kind):
    server.pages["/blog/"] = page(
        '<html><head><link rel="alternate" type="application/rss+xml" title="Comments" href="/comments">'
        f'<link rel="alternate" type="{kind}" href="../feed"></head><body>Words</body></html>', "text/html",
    )  # fmt: skip
    server.pages["/feed"] = rss("a")
    file = fetch(server.at("/blog/"), internet=server.internet())
    assert [item.external_id for item in read(file)] == ["a"]


def test_a_page_without_a_feed_is_read_itself(server):
    server.pages["/post"] = page(f"<!doctype html><article><h1>Slack</h1><p>{WORDS}</p></article>", "text/html")
    [item] = read(fetch(server.at("/post"), internet=server.internet()))
    assert (item.external_id, item.title, item.read) == (server.at("/post"), "Slack", WORDS)


def test_a_page_that_names_no_feed_where_one_should_be_says_so(server):
    server.pages["/"] = page('<html><link rel="alternate" type="application/rss+xml" href="/">', "text/html")
    assert "that is none" in refused(server, server.at("/"))


def json_feed(*posts: str, following: object = None) -> bytes:
    items = [{"id": post, "content_text": WORDS * 20} for post in posts]
    said = {"version": "https://jsonfeed.org/version/1.1", "title": "Tides", "next_url": following, "items": items}
    return page(json.dumps(said), "application/feed+json")


def atom(*posts: str, more: str = "") -> bytes:
    entries = "".join(f"<entry><id>{post}</id><content>{WORDS}</content></entry>" for post in posts)
    return page(f'<feed xmlns="http://www.w3.org/2005/Atom">{more}{entries}</feed>', "application/atom+xml")


def next_rss(*posts: str, following: str) -> bytes:
    return rss(*posts, more=f'<atom:link rel="next" href="{following}"/>')


def next_atom(*posts: str, following: str) -> bytes:
    return atom(*posts, more=f'<link href="/feed"/><link rel="next" href="{following}"/>')


def old_rss(*posts: str, following: str) -> bytes:
    """Archives (RFC 5005, 4), with a prefix that nobody has declared."""
    return page(rss(*posts, more=f'<a:link rel="prev-archive" href="{following}"/>').partition(b"\r\n\r\n")[2])


KINDS = pytest.mark.parametrize("kind", [next_rss, next_atom, old_rss, json_feed])


@dataclass
class Fetched:
    ids: list[str]
    said: list[str]
    """What is missing."""


def fetched(server: Server, path: str, **limits: float) -> Fetched:
    said: list[str] = []
    file = fetch(server.at(path), internet=server.internet(), on_damage=said.append, **limits)
    return Fetched([item.external_id for item in read(file)], said)


@KINDS
def test_the_next_pages_of_a_feed_belong_to_it(server, kind):
    server.pages["/1"] = kind("a", following="/in/2")
    server.pages["/in/2"] = kind("b", following="3")
    server.pages["/in/3"] = kind("c", following=server.at("/1"))
    assert fetched(server, "/1") == Fetched(["a", "b", "c"], [])
    assert len(server.asked) == 3


@pytest.mark.parametrize("damaged", ["/1", "/2"])
def test_a_page_that_is_damaged_is_repaired_and_that_is_said(server, damaged):
    server.pages["/1"] = next_atom("a", following="/2")
    server.pages["/2"] = next_atom("b", following="")
    broken = server.pages[damaged].partition(b"\r\n\r\n")[2].replace(b"</content>", b" <b>left open</content>")
    server.pages[damaged] = page(broken, "application/atom+xml")
    got = fetched(server, "/1")
    assert got.ids == ["a", "b"]
    [said] = got.said
    assert f"{damaged} is damaged from line 1 on" in said


@KINDS
def test_a_next_page_inside_is_not_read_and_it_is_said_what_is_missing(server, kind):
    server.pages["/1"] = kind("a", following="/2")
    server.pages["/2"] = kind("b", following=server.at("/3", host="inside.example"))
    got = fetched(server, "/1")
    assert got.ids == ["a", "b"]
    assert "read up to page 2, and what comes after it is missing" in got.said[0]
    assert "not on the public internet" in got.said[0]
    assert [path for _, path in server.asked] == ["/1", "/2"]


@KINDS
@pytest.mark.parametrize("to", ["http://inside.example:{port}/", "file:///etc/passwd", "/1"])
def test_a_next_page_that_leads_on_is_checked_like_any_address(server, kind, to):
    server.pages["/1"] = kind("a", following="/2")
    server.pages["/2"] = moved(to.format(port=server.port))
    got = fetched(server, "/1")
    assert got.ids == ["a"]
    assert bool(got.said) == (to != "/1")
    assert {host for host, _ in server.asked} == {f"tides.example:{server.port}"}


@KINDS
@pytest.mark.parametrize(
    ("following", "said"),
    [
        ("ftp://tides.example/2", "begins with https"),
        ("http://user:secret@tides.example/2", "has a password"),
        ("http://[::1", "no address"),
        ("/nothing", "nothing at this address"),
        ("/page", "is no feed"),
    ],
)
def test_a_next_page_that_cannot_be_read_is_said(server, kind, following, said):
    server.pages["/1"] = kind("a", following=following)
    server.pages["/page"] = page("<html><p>You are lost.</p></html>", "text/html")
    got = fetched(server, "/1")
    assert got.ids == ["a"]
    assert said in got.said[0]


@KINDS
def test_no_more_than_fifty_pages_are_read(server, kind):
    for number in range(60):
        server.pages[f"/{number}"] = kind(f"{number}", following=f"/{number + 1}")
    got = fetched(server, "/0")
    assert len(got.ids) == 50
    assert "up to page 50" in got.said[0]
    assert "more than 50 pages" in got.said[0]


@KINDS
def test_a_feed_that_gives_one_page_under_every_address_ends(server, kind):
    for number in range(10):
        server.pages[f"/{number}"] = kind("a", "b", following=f"/{number + 1}")
    assert fetched(server, "/0") == Fetched(["a", "b"], [])
    assert len(server.asked) == 4


@KINDS
def test_what_stands_on_two_pages_is_one_post_and_what_comes_after_is_read(server, kind):
    server.pages["/1"] = kind("a", "b", following="/2")
    server.pages["/2"] = kind("a", following="/3")
    server.pages["/3"] = kind("b", "c", following="/1")
    assert fetched(server, "/1").ids == ["a", "b", "c"]


@KINDS
def test_pages_share_one_bound_of_bytes(server, kind):
    for number in range(40):
        server.pages[f"/{number}"] = kind(f"{number}", following=f"/{number + 1}")
    got = fetched(server, "/0", largest=5_000)
    assert 1 <= len(got.ids) < 40
    assert f"up to page {len(got.ids)}," in got.said[0]
    assert "more than 0 MB" in got.said[0]


@KINDS
def test_pages_share_one_bound_of_seconds(server, kind):
    server.pages["/1"] = kind("a", following="/2")
    server.drip["/2"] = (b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<rss>", b" ")
    got = fetched(server, "/1", longest=0.6)
    assert got.ids == ["a"]
    assert "within 1 seconds" in got.said[0]


@pytest.mark.parametrize("following", [None, "", 7, ["/2"], {"url": "/2"}])
def test_a_json_feed_that_names_no_next_page_is_whole(server, following):
    server.pages["/1"] = json_feed("a", following=following)
    assert fetched(server, "/1") == Fetched(["a"], [])


def test_a_link_of_a_single_post_is_not_the_feeds(server):
    entry = f'<entry><id>a</id><link rel="next" href="/2"/><content>{WORDS}</content></entry>'
    server.pages["/1"] = page(f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>', "application/atom+xml")
    server.pages["/2"] = atom("b")
    assert fetched(server, "/1") == Fetched(["a"], [])


def test_what_unpacks_to_far_more_is_counted_unpacked(server):
    server.pages["/feed"] = page(gzip.compress(b" " * 5_000_000), more="Content-Encoding: gzip\r\n")
    assert "more than 1 MB" in refused(server, server.at("/feed"), largest=1_000_000)
