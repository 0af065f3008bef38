"""beehiiv's table of posts."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, beehiiv, importer_of, read

COLUMNS = "id,web_title,status,url,content_html,created_at"
PAGE = (
    "<table><tr><td>View online</td></tr><tr id='content-blocks'><td><p>Some words.</p></td></tr>"
    "<tr><td>Unsubscribe reader@example.org</td></tr></table>"
)


def read_all(*rows: str) -> list[Item]:
    return list(read(File.of("posts.csv", "\n".join([COLUMNS, *rows]).encode())))


def test_a_post_is_read_without_what_the_newsletter_puts_around_it():
    [item] = read_all(f'a1,"Tea, cake",confirmed,https://a.example,"{PAGE}",2023-01-18 21:25:27')
    assert (item.external_id, item.title, item.date) == ("a1", "Tea, cake", date(2023, 1, 18))
    assert (item.text, item.held, item.original) == ("Some words.", None, PAGE)


@pytest.mark.parametrize(
    ("status", "held"),
    [
        ("confirmed", None),
        ("Published", None),
        ("draft", Held.DRAFT),
        ("odd", Held.DRAFT),
        ("archived", Held.PRIVATE),
        ("scheduled", Held.SCHEDULED),
    ],
)
def test_what_is_not_simply_published_waits(status, held):
    assert read_all(f"a,b,{status},u,<p>Words.</p>,2023-01-18")[0].held is held


def test_a_page_of_another_make_is_read_whole():
    assert read_all("a,b,confirmed,u,<p>Words.</p>,2023-01-18")[0].read == "Words."


def test_a_post_without_a_page_says_so():
    assert "Nothing is left to read" in read_all("a,b,confirmed,u,,2023-01-18")[0].reason


def test_what_was_read_before_the_table_breaks_off_is_kept():
    items = read_all("a,b,confirmed,u,<p>Words.</p>,2023-01-18", 'b,c,confirmed,u,"<p>Wo')
    assert [item.external_id for item in items] == ["a", "posts.csv"]
    assert "damaged at line 3" in items[1].reason


def test_the_found_table_is_read(shared):
    file = File.at(shared / "formats" / "found" / "beehiiv" / "posts.csv", "posts.csv")
    assert importer_of(file) is beehiiv
    assert [(item.title, item.read, item.date, item.held) for item in read(file)] == [
        ("Sample Post", "Sample HTML here", date(2023, 1, 18), None),
        ("Another Post", "More sample HTML here", date(2023, 1, 19), None),
    ]


WHOLE = f'{COLUMNS}\na,b,draft,u,"{PAGE}",2023-01-18\nb,c,confirmed,u,<p>x</p>,2023'.encode()


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read(File.of("posts.csv", WHOLE[:at] + put + WHOLE[at + drop :])):
        assert bool(item.read) != bool(item.reason)
