"""Medium's exports: stories, drafts and responses, and nothing of all the rest."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, importer_of, medium, read, reading
from tests.adapters.importers.zips import damaged, packed, stored

FOOTER = """<footer><p>By <a class="p-author h-card">Ada  L.</a> on <time class="dt-published"
datetime="2018-08-11T11:23:34.123Z">August 11</time></p><a class="p-canonical">Canonical link</a></footer>"""


def page(body: str = "<p>Some words.</p>", *, title: str = "Tea", footer: str = FOOTER) -> str:
    return (
        f'<html><body><article class="h-entry"><h1 class="p-name">{title}</h1>'
        f'<section data-field="subtitle" class="p-summary">Some</section>'
        f'<section data-field="body" class="e-content">{body}</section>{footer}</article></body></html>'
    )


def read_one(content: str, name: str = "2018-08-11_Tea-0123456789ab.html") -> Item:
    [item] = read(File.of(name, content.encode()))
    return item


def test_a_story_is_read_with_all_that_is_said_of_it():
    item = read_one(page('<h3 class="graf graf--h3 graf--title">Tea &amp; Cake</h3><p>Some words.</p>'))
    assert (item.external_id, item.title, item.author) == ("0123456789ab", "Tea & Cake", "Ada L.")
    assert (item.date, item.text, item.held) == (date(2018, 8, 11), "Some words.", None)
    assert item.original.startswith("<html>")


def test_a_story_whose_title_is_not_in_its_body_has_one_all_the_same():
    assert (read_one(page()).title, read_one(page()).held) == ("Tea", None)


@pytest.mark.parametrize(
    ("name", "content", "held"),
    [
        ("draft_Tea-0123456789ab.html", page(), Held.DRAFT),
        ("Tea.html", page(footer=""), Held.DRAFT),
        ("Tea.html", page(footer='<a class="p-canonical">link</a>'), None),
        ("Tea.html", page(title="Some words."), Held.REPLY),
        ("Tea.html", page(title="Some…"), Held.REPLY),
        ("Tea.html", page('<h3 class="graf--title">Some</h3><p>Some words.</p>', title="Some"), None),
        ("Tea.html", page(title=""), None),
    ],
)
def test_drafts_and_responses_wait(name, content, held):
    assert read_one(content, name).held is held


def test_a_draft_keeps_its_id_when_it_is_published():
    draft = read_one(page(footer=""), "draft_Coffee-0123456789ab.html")
    assert draft.external_id == read_one(page()).external_id


def test_what_is_no_prose_is_cut():
    body = '<p>a</p><figure><figcaption class="imageCaption">A cat</figcaption></figure><pre>x<br>y</pre><p>b</p>'
    item = read_one(page(f'{body}<blockquote class="graf--pullquote">q</blockquote>'))
    assert item.read == "a\n\nb"
    assert {cut.rule for cut in item.cuts} == {"caption", "code", "quotation"}


def test_characters_that_no_xml_may_have_break_nothing():
    item = read_one(page('<h3 class="graf--title">Tea</h3>&#1;words<pre>a<br>&#2;b</pre>'))
    assert (item.title, "words" in item.read) == ("Tea", True)


def test_of_an_export_only_stories_are_read():
    files = {
        "medium-export/posts/2018-08-11_Tea-0123456789ab.html": page(),
        "medium-export/posts/draft_Cake-ba9876543210.html": page(),
        "medium-export/posts/picture.png": b"\x89PNG",
        "medium-export/profile/profile.html": page(),
        "medium-export/claps/claps-0001.html": page(),
        "medium-export/bookmarks/bookmarks-0001.html": page(),
        "medium-export/README.html": page(),
    }
    file = File.of("medium-export.zip", packed(files))
    assert importer_of(file) is medium
    assert [(item.external_id, item.held) for item in read(file)] == [
        ("0123456789ab", None),
        ("ba9876543210", Held.DRAFT),
    ]


def test_a_damaged_story_is_left_out_alone():
    files = {"posts/a.html": page("<p>Broken</p>").encode(), "posts/b.html": page().encode(), "posts/c.html": b"<p>"}
    items = list(read(File.of("m.zip", damaged(stored({**files, "posts/d.html": b"\0\1\2"}), b"Broken"))))
    assert [bool(item.reason) for item in items] == [True, False, True, True]
    assert "a.html in this zip is damaged" in items[0].reason
    assert items[1].read == "Some words."


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.html", b"<article class='h-entry'>Somebody else's page</article>"),
        ("a.txt", page().encode()),
        ("a.zip", packed({"posts/a.html": "<p>No.</p>", "posts.csv": "post_id"})),
        ("a.zip", packed({"a.html": page()})),
    ],
)
def test_other_files_are_not_taken_for_medium(name, data):
    assert not medium.detect(File.of(name, data))


def test_every_story_of_the_made_export_is_right(shared):
    made = shared / "formats" / "made"
    expected = json.loads((made / "expected.json").read_text())["medium-export-chesterton.zip"]["items"]
    file = File.at(made / "medium-export-chesterton.zip", "medium-export-chesterton.zip")
    assert importer_of(file) is medium
    items = {item.external_id: item for item in read(file)}
    assert len(items) == len(expected)
    for wanted in expected:
        item = items[wanted["file"][-17:-5]]
        held = Held.DRAFT if wanted["status"] == "draft" else Held.REPLY if wanted["kind"] == "response" else None
        assert (item.title, item.held) == (wanted["title"], held)
        # The table counts quotations.
        words = len(reading(item.text, item.cuts, ["quotation"]).split())
        assert abs(words - wanted["words"]) <= wanted["words"] / 100, item.title
        if held is not Held.DRAFT:
            assert item.author == "G. K. Chesterton"
            assert item.date == date.fromisoformat(wanted["file"][6:16])
        assert not item.reason


def test_the_found_export_is_read(shared):
    found = shared / "formats" / "found" / "medium"
    items = {item.external_id: item for item in read(File.at(found / "medium-export.zip", "m.zip"))}
    assert len(items) == 9
    assert {name: item.held for name, item in items.items() if item.held} == {
        "posts/comment.html": Held.REPLY,
        "posts/draft-post.html": Held.DRAFT,
    }
    assert items["posts/no-date-post.html"].date is None
    assert items["posts/basic-post.html"].title == "Basic Post Title"
    assert "apt-get" not in items["posts/code-post.html"].read
    [item] = read(File.at(found / "advanced-post.html", "advanced-post.html"))
    assert (item.title, item.author) == ("Advanced Post Title", "Joe Bloggs")


WHOLE = stored({"posts/a-0123456789.html": page("<h3 class='graf--title'>x</h3><p>y</p>").encode(), "b.txt": b"z"})


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read(File.of("m.zip", WHOLE[:at] + put + WHOLE[at + drop :])):
        assert bool(item.read) != bool(item.reason)


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(page())), put=some.text(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_page_only_items_come_out(at, put, drop):
    content = page()[:at] + put + page()[at + drop :]
    for item in medium.items(File.of("a.html", content.encode("utf-8", "replace"))):
        assert isinstance(item, Item)
