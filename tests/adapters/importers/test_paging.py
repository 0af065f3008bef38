"""The pages of a feed, put together as one, from a server on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from adapters.importers import read
from adapters.importers.fetch import fetch
from tests.adapters.importers.web import WORDS, Server, moved, page, rss, server

__all__ = ["server"]


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
