"""Feeds of every kind that blogs have."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, feed, importer_of, read
from tests.adapters.importers.broken import only_items, spoiled

WORDS = "The ferry was late, and I wrote down why it was late and who was on it. " * 4
RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>Tides</title>{}</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:thr="http://purl.org/syndication/thread/1.0"><title>Tides</title>
<author><name>Maren</name></author>{}</feed>"""
FULL = f"<content:encoded><![CDATA[<p>{WORDS}</p>]]></content:encoded>"


def rss(entry: str) -> Item:
    """The first of two."""
    return next(read(File.of("feed", RSS.format(f"<item>{entry}</item><item>{FULL}</item>").encode())))


def atom(entry: str) -> Item:
    text = f"<entry>{entry}</entry><entry><content>{WORDS}</content></entry>"
    return next(read(File.of("feed", ATOM.format(text).encode())))


def of_json(**entry: Any) -> Item:
    entries = [entry, {"id": "b", "content_text": WORDS}]
    text = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Tides",
        "authors": [{"name": "Maren"}],
        "items": entries,
    }
    return next(read(File.of("feed", json.dumps(text).encode())))


@pytest.mark.parametrize(
    ("entry", "id"),
    [
        ("<guid>17</guid><link>https://a.example/b</link>", "17"),
        ("<link>https://a.example/b</link>", "https://a.example/b"),
        ("<title>Slack</title><pubDate>Mon, 06 Jan 2020 09:30:00 GMT</pubDate>", "Slack 2020-01-06"),
    ],
)
def test_an_entry_is_called_what_its_feed_calls_it(entry, id):
    assert rss(entry + FULL).external_id == id


def test_an_entry_without_any_name_is_called_the_same_the_next_time():
    assert rss(FULL).external_id == rss(FULL).external_id


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("<pubDate>Mon, 06 Jan 2020 23:30:00 -0800</pubDate>", date(2020, 1, 6)),
        ("<pubDate>6 Jan 20 09:30 EST</pubDate>", date(2020, 1, 6)),
        ("<dc:date>2020-01-06T09:30:00Z</dc:date>", date(2020, 1, 6)),
        ("<pubDate>never</pubDate><dc:date>2020-01-06</dc:date>", date(2020, 1, 6)),
        ("<pubDate>Mon, 99 Jan 2020</pubDate>", None),
    ],
)
def test_dates_in_every_spelling_are_the_authors_own_day(said, day):
    assert rss(said + FULL).date == day


@pytest.mark.parametrize(
    ("said", "author"),
    [
        ("<dc:creator>Maren Oakes</dc:creator><dc:creator>Anne</dc:creator>", "Maren Oakes, Anne"),
        ("<author>maren@example.org (Maren Oakes)</author>", "Maren Oakes"),
        ("<author>maren@example.org</author>", ""),
        ("<itunes:author>Maren</itunes:author>", "Maren"),
    ],
)
def test_authors_are_named_without_their_addresses(said, author):
    assert rss(said + FULL).author == author


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("<title>Fish &amp;amp; &amp;lt;em&amp;gt;</title>", "Fish & <em>"),
        ("<title><![CDATA[<em>Slack</em> Water]]></title>", "Slack Water"),
        ("<title>I &lt;3 fish</title>", "I <3 fish"),
        ("<media:title>A picture</media:title><itunes:title>B</itunes:title><title>Slack</title>", "Slack"),
    ],
)
def test_titles_are_plain(title, plain):
    assert rss(title + FULL).title == plain


@pytest.mark.parametrize(
    ("entry", "held"),
    [
        (FULL, None),
        (f"<description>{WORDS * 4}</description>", None),
        ("<description>" + "&lt;p&gt;One two three four five six seven eight&lt;/p&gt;" * 5 + "</description>", None),
        ("<description>A few words of it.</description>", Held.EXCERPT),
        (f"<description>{WORDS * 4} [&#8230;]</description>", Held.EXCERPT),
        (f"<description>{WORDS * 4} and so...</description>", Held.EXCERPT),
        (f"<content:encoded>{WORDS} &lt;a href='x'&gt;Continue reading &lt;/a&gt;</content:encoded>", Held.EXCERPT),
        (f"<content:encoded>{WORDS} &lt;p&gt;Read more: Slack Water</content:encoded>", Held.EXCERPT),
        (f"<content:encoded>{WORDS} and so it goes...</content:encoded>", None),
        (f"<content:encoded>{WORDS} I ought to read more than I do.</content:encoded>", None),
        ('<enclosure type="audio/mpeg" url="a.mp3"/>' + FULL, Held.PODCAST),
        ('<enclosure type="image/png" url="a.png"/>' + FULL, None),
        (f"<media:content>{WORDS}</media:content><description>Few.</description>", Held.EXCERPT),
    ],
)  # fmt: skip
def test_posts_are_told_from_excerpts_and_podcasts(entry, held):
    assert rss(entry).held == held


def test_full_content_is_read_rather_than_the_excerpt_before_it():
    item = rss(f"<description>Short [&#8230;]</description>{FULL}")
    assert (item.read, item.held) == (WORDS.strip(), None)


def test_a_feed_of_nothing_but_excerpts_says_so_once():
    text = "<item><title>A</title><description>Few words [...]</description></item>" * 3
    [item] = read(File.of("feed", RSS.format(text).encode()))
    assert "only excerpts of its 3 posts" in item.reason
    assert "export" in item.reason


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('<content type="html">&lt;p&gt;One &lt;b&gt;two&lt;/b&gt;&lt;p&gt;Three</content>', "One two\n\nThree"),
        ('<content type="xhtml"><d xmlns="http://www.w3.org/1999/xhtml"><p>One</p>Two</d></content>', "One\n\nTwo"),
        ('<content type="text">One &lt;b&gt;\n\nTwo</content>', "One <b>\n\nTwo"),
        ("<content>One\n\nTwo</content>", "One\n\nTwo"),
    ],
)  # fmt: skip
def test_atom_holds_text_in_three_ways(entry, words):
    item = atom(f"<id>urn:1</id><published>2020-01-06T01:00:00+10:00</published>{entry}")
    assert (item.read, item.external_id, item.date, item.author) == (words, "urn:1", date(2020, 1, 6), "Maren")


def test_what_atom_calls_a_summary_is_never_a_post():
    assert atom(f"<summary>{WORDS * 5}</summary>").held == Held.EXCERPT


def test_an_entrys_author_wins_over_the_feeds_and_its_sources_is_nobody():
    source = "<source><title>Elsewhere</title><id>x</id><author><name>Somebody</name></author></source>"
    item = atom(
        f"{source}<id>1</id><author><name>Anne</name><email>a@example.org</email></author><content>One.</content>"
    )
    assert (item.author, item.title, item.external_id) == ("Anne", "", "1")


def test_answers_in_a_feed_wait():
    item = atom('<thr:in-reply-to ref="1"/><content>Great post!</content>')
    assert (item.read, item.held) == ("Great post!", Held.REPLY)


def test_a_feed_that_declares_none_of_its_prefixes_is_read_all_the_same():
    text = f"<rss><channel><item><guid>1</guid><dc:creator>Maren</dc:creator>{FULL}</item></channel></rss>"
    [item] = read(File.of("feed.xml", text.encode()))
    assert (item.external_id, item.author, item.read) == ("1", "Maren", WORDS.strip())


def test_rss_1_is_read():
    text = f"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
     xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel rdf:about="x"/>
     <item rdf:about="https://a.example/1"><title>One</title>{FULL}</item></rdf:RDF>"""
    [item] = read(File.of("index.rdf", text.encode()))
    assert (item.external_id, item.title, item.read) == ("https://a.example/1", "One", WORDS.strip())


def test_json_feeds_are_read():
    item = of_json(
        id="a", url="u", title="A <b>", content_html="<p>One</p><p>Two</p>", date_published="2020-01-06T01:00:00Z"
    )
    assert (item.external_id, item.title, item.read, item.date, item.author) == (
        "a", "A <b>", "One\n\nTwo", date(2020, 1, 6), "Maren",
    )  # fmt: skip
    assert of_json(id=7, content_text="One <b>\n\nTwo").read == "One <b>\n\nTwo"
    assert of_json(id="a", summary=WORDS * 5).held == Held.EXCERPT
    assert of_json(id="a", content_text="x", attachments=[{"mime_type": "audio/mpeg"}]).held == Held.PODCAST


@pytest.mark.parametrize("wrong", [None, 3, [], {}, [None], {"a": []}, True])
def test_json_feeds_with_wrong_types_break_nothing(wrong):
    entry = dict.fromkeys(
        ["id", "url", "title", "content_html", "content_text", "authors", "attachments", "date_published"], wrong
    )
    of_json(**entry)
    text = {"version": "https://jsonfeed.org/version/1", "authors": wrong, "author": wrong, "items": wrong}
    only_items(feed, File.of("feed", json.dumps(text).encode()))


def test_a_feed_that_breaks_off_gives_what_came_before_and_says_so():
    text = RSS.format(f"<item><guid>1</guid>{FULL}</item><item><guid>2</guid>{FULL}</item>").encode()
    items = list(read(File.of("feed", text[: text.rindex(b"<guid>")])))
    assert items[0].read == WORDS.strip()
    assert "Export it again" in items[-1].reason


@pytest.mark.parametrize("entity", ['"lol"', 'SYSTEM "file:///etc/passwd"'])
def test_a_feed_with_entities_of_its_own_is_refused(entity):
    text = f"<!DOCTYPE rss [<!ENTITY x {entity}>]>" + RSS.partition("?>")[2].format("<item><title>&x;</title></item>")
    [item] = read(File.of("feed", text.encode()))
    assert "entities of its own" in item.reason
    assert "root:" not in repr(item)


@pytest.mark.parametrize("name", ["feed", "feed.xml", "feed.html", "feed.txt"])
def test_a_feed_is_known_by_its_first_element(name):
    assert importer_of(File.of(name, RSS.encode())) is feed


def test_a_site_map_is_no_feed():
    assert importer_of(File.of("a.xml", b"<urlset><url/></urlset>")) is None


@settings(max_examples=50, deadline=None)
@given(data=some.one_of(
    spoiled(RSS.format(f"<item><guid>1</guid><title>A</title><author>a@b (C)</author>{FULL}</item>").encode()),
    spoiled(ATOM.format('<entry><id>1</id><content type="xhtml"><div><p>A</p></div></content></entry>').encode()),
    spoiled(b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": 1, "content_text": "A", "authors": []}]}'),
))  # fmt: skip
def test_a_broken_feed_gives_items_or_a_sentence(data):
    only_items(feed, File.of("any.xml", data))


@pytest.mark.parametrize("name", ["rss2-full-emerson.xml", "atom-full-woolf.xml"])
def test_every_post_of_a_full_feed_is_read(shared, name):
    made = shared / "formats" / "made"
    expected = json.loads((made / "expected.json").read_text())[name]
    items = list(read(File.at(made / name, name)))
    assert [item.title for item in items] == [one["title"] for one in expected["items"]]
    for item, one in zip(items, expected["items"], strict=True):
        assert not item.reason
        assert item.date
        if item.held == Held.EXCERPT:
            assert name.startswith("atom")
            continue
        assert item.held is None
        assert len(item.read.split()) == one["words"], item.title
    assert sum(item.held == Held.EXCERPT for item in items) == name.startswith("atom")
    assert {item.author for item in items} == ({"Virginia Woolf"} if name.startswith("atom") else {"R. W. Emerson"})


def test_a_real_feed_of_excerpts_and_a_real_podcast_are_known(shared):
    name = "rss2-excerpts-only-emerson.xml"
    [item] = read(File.at(shared / "formats/made" / name, name))
    assert "only excerpts of its 10 posts" in item.reason
    items = list(read(File.at(shared / "formats/found/podcast-rss/libsyn-feed.xml", "libsyn-feed.xml")))
    assert [(item.title, item.date, item.held) for item in items] == [
        ("Lorem Ipsum", date(2020, 8, 10), Held.PODCAST), ("Dolor Simet", date(2020, 7, 13), Held.PODCAST),
    ]  # fmt: skip
