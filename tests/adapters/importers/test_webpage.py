"""Web pages that somebody saved."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings

from adapters.importers import File, Held, Item, read, webpage
from tests.adapters.importers.broken import only_items, spoiled

POST = "<p>" + "The ferry was late, and I wrote down why it was late and who was on it. " * 4 + "</p>"
WORDS = " ".join(POST[3:-4].split())
SITE = """<!doctype html><html><head><title>Slack Water | Tides</title>{head}</head><body>
<nav><a href="/">Home</a></nav><header>Tides, a blog about water</header>{body}
<footer>Copyright Tides</footer></body></html>"""


def page(body: str, head: str = "", name: str = "post.html") -> Item:
    [item] = read(File.of(name, SITE.format(head=head, body=body).encode()))
    return item


@pytest.mark.parametrize(
    "body",
    [
        "<article>{}</article>",
        "<main>{}</main>",
        '<div role="main">{}</div>',
        '<div class="h-entry"><div class="e-content">{}</div><p>Somewhere else</p></div>',
        '<article><div class="post entry-content">{}</div><div>Share it with everybody you know</div></article>',
        '<article class="comment">My words are a comment.</article><article>{}</article>',
        "<article><p>A teaser.</p></article><article>{}</article>",
        "<main><article>{}</article><div>Next post</div></main>",
        "<div><div>{}</div></div>",
    ],
)
def test_only_the_post_is_read(body):
    assert page(body.format(POST)).read == WORDS


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        ("<header>Posted by somebody</header>", "byline"),
        ("<footer>Under tides</footer>", "boilerplate"),
        ("<aside>You may like this, too</aside>", "boilerplate"),
    ],
)
def test_what_stands_around_the_post_in_its_element_is_cut(part, rule):
    item = page(f"<article>{part}{POST}</article>")
    assert item.read == WORDS
    assert [cut.rule for cut in item.cuts] == [rule]


@pytest.mark.parametrize(
    ("body", "head", "title"),
    [
        (f"<article><h1>Slack Water</h1>{POST}</article>", "", "Slack Water"),
        (f"<article>{POST}</article>", '<meta property="og:title" content="Slack  Water">', "Slack Water"),
        (f"<article>{POST}</article>", "", "Slack Water | Tides"),
        (f"<article><h1>Another heading</h1>{POST}</article>", "", "Another heading"),
    ],
)
def test_the_title_is_the_posts_and_not_read_again(body, head, title):
    item = page(body, head)
    assert (item.title, item.read) == (title, WORDS)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ('<meta property="article:published_time" content="2020-01-02T10:00:00Z">', ""),
        ('<meta name="date" content="2 January 2020">', ""),
        ('<script type="application/ld+json">{"@graph": [3, {"datePublished": "2020-01-02"}]}</script>', ""),
        ("", '<time datetime="2020-01-02">yesterday</time>'),
        ("", '<span itemprop="datePublished" content="2020-01-02"></span>'),
    ],
)
def test_the_day_is_where_pages_say_it(head, body):
    assert page(f"<article>{POST}{body}</article>", head).date == date(2020, 1, 2)


def test_the_day_may_stand_in_the_name():
    assert page(f"<article>{POST}</article>", name="2020-01-02-slack.html").date == date(2020, 1, 2)


@pytest.mark.parametrize(
    ("head", "body", "author"),
    [
        ('<meta name="author" content="Maren Oakes">', "", "Maren Oakes"),
        ('<script type="application/ld+json">{"headline": "A", "author": [{"name": "Anne"}]}</script>', "", "Anne"),
        ("", '<a rel="author" href="/">Maren Oakes</a>', "Maren Oakes"),
        ('<meta name="author" content="maren@example.org">', "", ""),
        ('<script type="application/ld+json">[[[</script>', "", ""),
    ],
)  # fmt: skip
def test_the_author_is_where_pages_say_it(head, body, author):
    assert page(f"<article>{POST}{body}</article>", head).author == author


def test_a_fragment_is_read_whole():
    [item] = read(File.of("a.html", b"<p>Few words.</p>and more"))
    assert item.read == "Few words.\n\nand more"


def test_front_matter_is_read_above_html_as_well():
    text = b"---\ntitle: A\nauthor: B\ndraft: true\n---\n<p>First.</p>\n<p>Second.</p>"
    [item] = read(File.of("_posts/2020-01-02-a.html", text))
    assert (item.title, item.author, item.date, item.held) == ("A", "B", date(2020, 1, 2), Held.DRAFT)
    assert item.read == "First.\n\nSecond."


@pytest.mark.parametrize(
    ("charset", "encoding"), [("windows-1251", "cp1251"), ("Shift_JIS", "shift_jis"), ("nonsense", "utf-8")]
)
def test_a_page_may_say_its_encoding(charset, encoding):
    word = {"cp1251": "Привет", "shift_jis": "日本", "utf-8": "Zürich"}[encoding]
    [item] = read(File.of("a.html", f'<meta charset="{charset}"><p>{word}</p>'.encode(encoding)))
    assert item.read == word


@pytest.mark.parametrize("name", ["saved page", "a.txt", "a.md"])
def test_a_page_is_known_by_its_first_words_whatever_it_is_called(name):
    [item] = read(File.of(name, f"\ufeff <!-- saved --> <!DOCTYPE html><html><body>{POST}</body></html>".encode()))
    assert item.read == WORDS


def test_elements_within_elements_without_end_break_nothing():
    [item] = read(File.of("a.html", b"<html><body>" + b"<div>" * 100_000 + b"Text."))
    assert item.read or item.reason


def test_an_empty_page_says_so():
    [item] = read(File.of("a.html", b"<!-- -->"))
    assert "empty" in item.reason


@settings(max_examples=50, deadline=None)
@given(data=spoiled(SITE.format(head='<meta charset="utf-8">', body=f"<article><h1>A</h1>{POST}</article>").encode()))
def test_a_broken_page_gives_items_or_a_sentence(data):
    only_items(webpage, File.of("any.html", data))


@settings(max_examples=20, deadline=None)
@given(
    data=spoiled(
        b'<script type="application/ld+json">{"datePublished": [1], "author": {"name": {}}}</script><time datetime>'
    )
)
def test_what_a_page_says_of_itself_may_be_anything(data):
    only_items(webpage, File.of("any.html", b"<html>" + data))
