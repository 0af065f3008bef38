"""What is read by its address, from a server on this machine that an internet of the test's own leads to."""

from __future__ import annotations

import gzip
import ipaddress

import pytest

from adapters.importers import Unreadable, read
from adapters.importers.addresses import Internet, is_public
from adapters.importers.fetch import fetch
from tests.adapters.importers.web import WORDS, moved, page, refused, rss, server

__all__ = ["server"]


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


def test_what_unpacks_to_far_more_is_counted_unpacked(server):
    server.pages["/feed"] = page(gzip.compress(b" " * 5_000_000), more="Content-Encoding: gzip\r\n")
    assert "more than 1 MB" in refused(server, server.at("/feed"), largest=1_000_000)
