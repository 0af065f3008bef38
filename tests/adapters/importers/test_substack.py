"""Substack's exports: posts and what waits; never who reads them."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, importer_of, read, substack
from tests.adapters.importers.zips import damaged, packed, stored

COLUMNS = "post_id,post_date,is_published,email_sent_at,inbox_sent_at,type,audience,title,subtitle,podcast_url"


def row(post: str = "1.tea", *, published: str = "true", kind: str = "newsletter", audience: str = "everyone") -> str:
    return f'{post},2022-01-06T09:30:00.000Z,{published},,,{kind},{audience},"Tea, cake",,'


def export(*rows: str, **pages: str) -> dict[str, str | bytes]:
    files = {f"posts/{name}.html": content for name, content in ({"1.tea": "<p>Some words.</p>"} | pages).items()}
    return {"posts.csv": "\n".join([COLUMNS, *rows]), **files}


def read_all(files: dict[str, str | bytes]) -> list[Item]:
    return list(read(File.of("export.zip", packed(files))))


def test_a_post_is_read_with_all_that_is_said_of_it():
    [item] = read_all(export(row()))
    assert (item.external_id, item.title, item.date) == ("1.tea", "Tea, cake", date(2022, 1, 6))
    assert (item.text, item.original, item.held) == ("Some words.", "<p>Some words.</p>", None)


@pytest.mark.parametrize(
    ("fields", "held"),
    [
        ({"published": "True"}, None),
        ({"audience": "only_paid"}, None),
        ({"kind": "thread"}, None),
        ({"published": "false"}, Held.DRAFT),
        ({"kind": "podcast"}, Held.PODCAST),
        ({"kind": "page"}, Held.PAGE),
    ],
)
def test_what_is_not_simply_published_waits(fields, held):
    assert read_all(export(row(**fields)))[0].held is held


def test_what_is_no_prose_is_cut():
    page = """<p>a</p><div class="subscription-widget-wrap"><p class="cta-caption">Thanks!</p></div>
    <p class="button-wrapper"><a>Subscribe now</a></p><div class="captioned-image-container"><figure>
    <figcaption class="image-caption">A cat</figcaption></figure></div>
    <p>b<a class="footnote-anchor" href="#footnote-1">1</a></p>
    <div class="footnote"><a class="footnote-number">1</a><div class="footnote-content"><p>A note.</p></div></div>"""
    [item] = read_all(export(row()) | {"posts/1.tea.html": page})
    assert item.read == "a\n\nb\n\nA note."
    assert {cut.rule for cut in item.cuts} == {"subscribe", "widget", "caption", "footnote mark"}


def test_a_row_without_a_page_is_left_out_with_a_reason():
    [item, tea] = read_all(export(row("2.gone"), row()))
    assert (item.external_id, item.title) == ("2.gone", "Tea, cake")
    assert "its text is not in it" in item.reason
    assert not tea.reason


def test_a_page_without_a_row_waits():
    items = read_all(export(row(), **{"3.lost": "<p>Lost words.</p>"}))
    assert [(item.external_id, item.held) for item in items] == [("1.tea", None), ("3.lost", Held.DRAFT)]


def test_readers_are_never_read():
    reader = "email\nreader@example.org\n"
    files = export(row()) | {
        "email_list.tea.csv": reader,
        "posts/1.tea.delivers.csv": reader,
        "posts/1.tea.opens.csv": reader,
    }
    [item] = read_all(files)
    assert "example.org" not in repr(item)


def test_an_export_in_a_folder_is_known():
    files = {f"export/{name}": content for name, content in export(row()).items()}
    assert [item.read for item in read_all(files)] == ["Some words."]


def test_a_table_that_breaks_off_is_said_and_all_pages_are_read():
    items = read_all(export(row(), "2.cake,2022", **{"2.cake": "<p>Words.</p>"}))
    assert [item.external_id for item in items] == ["1.tea", "2.cake", "export.zip"]
    assert "damaged at line 3" in items[-1].reason


def test_a_damaged_page_is_left_out_alone():
    files = {name: content.encode() if isinstance(content, str) else content for name, content in export(row()).items()}
    files["posts.csv"] += f"\n{row('2.bad')}\n{row('3.odd')}".encode()
    files |= {"posts/2.bad.html": b"<p>Broken</p>", "posts/3.odd.html": b"\0\1\2"}
    items = list(read(File.of("export.zip", damaged(stored(files), b"Broken"))))
    assert [bool(item.reason) for item in items] == [False, True, True]


def test_the_table_alone_is_not_enough():
    [item] = read(File.of("posts.csv", f"{COLUMNS}\n{row()}".encode()))
    assert "Upload the whole export" in item.reason


@pytest.mark.parametrize("files", [{"posts/a.html": "x"}, {"posts.csv": "a,b"}, {"other.csv": COLUMNS}])
def test_other_zips_are_not_taken_for_substack(files):
    assert not substack.detect(File.of("a.zip", packed(files)))


def test_every_post_of_the_made_export_is_right(shared):
    made = shared / "formats" / "made"
    expected = json.loads((made / "expected.json").read_text())["substack-export-lamb.zip"]["items"]
    file = File.at(made / "substack-export-lamb.zip", "substack-export-lamb.zip")
    assert importer_of(file) is substack
    *items, lost = read(file)
    assert (lost.external_id, bool(lost.reason)) == ("41999999.untitled", True)
    assert len(items) == len(expected)
    kinds = {"newsletter": None, "podcast": Held.PODCAST, "page": Held.PAGE}
    for item, wanted in zip(items, expected, strict=True):
        held = Held.DRAFT if wanted["is_published"] == "false" else kinds[wanted["type"]]
        assert (item.external_id, item.title, item.held) == (wanted["post_id"], wanted["title"], held)
        assert abs(len(item.read.split()) - wanted["words"]) <= wanted["words"] / 100, item.title
        assert item.date
        assert not item.reason
        assert "@" not in item.text + item.original


WHOLE = stored({"posts.csv": f"{COLUMNS}\n{row()}\n".encode(), "posts/1.tea.html": b"<p>Words</p>"})


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read(File.of("a.zip", WHOLE[:at] + put + WHOLE[at + drop :])):
        assert bool(item.read) != bool(item.reason)


@settings(max_examples=50, deadline=None)
@given(rows=some.text(max_size=60), page=some.binary(max_size=40))
def test_whatever_stands_in_a_table_only_items_come_out(rows, page):
    table = f"{COLUMNS}\n{rows}".encode("utf-8", "replace")
    for item in read(File.of("a.zip", stored({"posts.csv": table, "posts/1.tea.html": page}))):
        assert bool(item.read) != bool(item.reason)
