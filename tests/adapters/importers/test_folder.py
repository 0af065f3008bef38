"""A zip of texts, as static blogs and desks keep them."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date

import pytest
from hypothesis import given, settings

from adapters.importers import File, Held, Item, folder, read
from tests.adapters.importers.broken import only_items, spoiled


def packed(entries: dict[str, str | bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return data.getvalue()


def unpacked(entries: dict[str, str | bytes]) -> dict[str, Item]:
    return {item.external_id: item for item in read(File.of("blog.zip", packed(entries)))}


def test_a_common_root_folder_is_no_part_of_a_posts_name():
    assert list(unpacked({"blog-main/_posts/a.md": "A.", "blog-main/about.txt": "B."})) == ["_posts/a.md", "about.txt"]
    assert list(unpacked({"_posts/a.md": "A."})) == ["_posts/a.md"]


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("2020-01-02-slug/index.md", date(2020, 1, 2)),
        ("content/2020-1-2-slug.md", date(2020, 1, 2)),
        ("content/2020/01/02/slug.md", date(2020, 1, 2)),
        ("2019-03-03-trip/2020-01-02-slug.md", date(2020, 1, 2)),
        ("content/2020-13-40-slug.md", None),
        ("content/slug.md", None),
    ],
)
def test_the_date_may_stand_in_the_path(name, day):
    assert unpacked({name: "Text.", "other/b.md": "Text."})[name].date == day


def test_front_matter_wins_over_the_path():
    [item] = unpacked({"_posts/2020-01-02-a.md": "---\ndate: 2021-03-04\n---\nText."}).values()
    assert item.date == date(2021, 3, 4)


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("_posts/a.md", "A.", None),
        ("_drafts/a.md", "A.", Held.DRAFT),
        ("content/drafts/a.md", "A.", Held.DRAFT),
        ("_pages/about.md", "A.", Held.PAGE),
        ("content/pages/about.md", "A.", Held.PAGE),
        ("about.md", "A.", Held.PAGE),
        ("_posts/a.md", "---\npublished: false\n---\nA.", Held.DRAFT),
        ("_posts/a.md", "+++\ndraft = true\n+++\nA.", Held.DRAFT),
        ("content/a.md", "Title: A\nDate: 2020-01-02\nStatus: draft\n\nA.", Held.DRAFT),
        ("content/a.md", "Title: A\nDate: 2020-01-02\nStatus: hidden\n\nA.", Held.PRIVATE),
        ("content/a.md", "---\nlayout: page\n---\nA.", Held.PAGE),
    ],
)
def test_drafts_and_pages_wait(name, text, held):
    assert unpacked({name: text, "_posts/other.md": "Other."})[name].held == held


def test_a_page_at_the_root_is_a_post_where_there_is_no_folder_of_posts():
    assert unpacked({"about.md": "A."})["about.md"].held is None


def test_pelicans_fields_need_no_fences():
    text = "Title: Slack Water\nDate: 2020-01-02 10:20\nAuthors: Maren Oakes, A. Person\nSummary: one\n  two\n\nText."
    [item] = unpacked({"content/a.md": text}).values()
    assert (item.title, item.date, item.author, item.read) == (
        "Slack Water", date(2020, 1, 2), "Maren Oakes, A. Person", "Text.",
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["Title: what a word.\n\nText.", "Note: this\nand that\n\nText.", "Dear: A\nFrom: B\n\nC."]
)
def test_lines_with_colons_are_no_fields(text):
    [item] = unpacked({"content/a.md": text}).values()
    assert item.text.split() == text.split()


@pytest.mark.parametrize(
    ("author", "said"),
    [
        ("author: {name: Maren}", "Maren"),
        ("authors: [Maren, Anne]", "Maren|Anne"),
        ("authors: [{name: Maren}, 3]", "Maren|3"),
        ("authors: Maren, Anne", "Maren|Anne"),
        ("authors: Oakes, Maren; Anne", "Oakes, Maren|Anne"),
        ("author: Oakes, Maren", "Oakes, Maren"),
        ("authors: ['Oakes, Maren', Anne, Anne, '']", "Oakes, Maren|Anne"),
        ("author: {a: b}", ""),
        ("author: null", ""),
    ],
)
def test_authors_are_named_in_any_shape(author, said):
    [item] = unpacked({"a.md": f"---\n{author}\n---\nText."}).values()
    assert "|".join(item.authors) == said


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "docs/LICENSE.txt", "_layouts/post.html", "_includes/a.md", "node_modules/a.md", "a.png", "a.css",
        "a.js", "_config.yml", "index.html", "content/_index.md", "requirements-dev.txt", "_site/a.md",
        "sitemap.xml", "package.json", ".git/a.md", "__MACOSX/._a.md",
    ],
)  # fmt: skip
def test_what_is_no_writing_is_no_item(name):
    assert list(unpacked({"_posts/a.md": "A.", name: "<p>Words.</p>"})) == ["_posts/a.md"]


def test_a_folder_of_a_blog_program_is_only_one_beside_its_settings():
    entries = {"content/a.md": "A.", "themes/b.md": "B."}
    assert list(unpacked(entries)) == ["content/a.md", "themes/b.md"]
    assert list(unpacked({**entries, "hugo.toml": "title = 'x'"})) == ["content/a.md"]


def test_a_template_is_no_post():
    assert list(unpacked({"a.md": "A.", "feed.html": "<ul>{% for post in site.posts %}<li>{{ post.title }}</li>"})) == [
        "a.md"
    ]


@pytest.mark.parametrize("name", ["old/more.zip", "old/more.txt"])
def test_a_zip_in_a_zip_is_said_not_to_be_opened(name):
    item = unpacked({"a.md": "A.", name: packed({"b.md": "B."})})[name]
    assert "Upload it by itself" in item.reason


@pytest.mark.parametrize("name", ["a.rst", "a.org", "a.pages"])
def test_writing_in_an_unknown_format_is_told(name):
    assert "No format is known" in unpacked({"a.md": "A.", name: "Words."})[name].reason


def test_a_broken_entry_takes_no_other_with_it():
    data = packed({"a.md": "First. " * 30, "b.md": "Second."})
    at = data.index(b"a.md") + len(b"a.md") + 4
    items = list(read(File.of("x.zip", data[:at] + b"\xff\xff\xff" + data[at + 3 :])))
    assert "damaged" in items[0].reason
    assert items[1].read == "Second."


def test_of_a_bomb_nothing_is_imported():
    [item] = read(File.of("x.zip", packed({"a.md": "Text.", "b.md": b"\0" * 5_000_000})))
    assert "b.md unpacks to far more" in item.reason


def test_a_name_that_leaves_the_folder_is_only_a_name():
    assert list(unpacked({"../../etc/a.md": "A.", "/b.md": "B."})) == ["etc/a.md", "b.md"]


def test_too_many_files_are_refused():
    [item] = read(File.of("x.zip", packed({f"{number}.md": "" for number in range(20_001)})))
    assert "20,001 files" in item.reason


def test_an_empty_zip_holds_no_posts():
    [item] = read(File.of("x.zip", packed({})))
    assert "No posts" in item.reason


@settings(max_examples=50, deadline=None)
@given(data=spoiled(packed({"_posts/2020-01-02-a.md": "---\ntitle: A\n---\nText.", "b/c.txt": "More text."})))
def test_a_broken_zip_gives_items_or_a_sentence(data):
    only_items(folder, File.of("any.zip", data))


def test_every_piece_of_every_author_is_read(shared):
    for author in json.loads((shared / "corpora" / "authors.json").read_text()):
        items = list(read(File.at(shared / "corpora" / author["zip"], author["zip"])))
        kept = [item for item in items if not item.reason]
        words = sum(len(item.read.split()) for item in kept)
        assert len(kept) == len(items) == author["pieces"], author["slug"]
        assert not any(item.held for item in kept), author["slug"]
        assert abs(words - author["words"]) < 0.05 * author["words"], author["slug"]
        if author["date_range"]:
            first, last = (date.fromisoformat(day) for day in author["date_range"])
            assert all(first <= item.date <= last for item in kept if item.date)
            assert sum(bool(item.date) for item in kept) > len(kept) / 2
        assert sum(bool(item.title) for item in kept) > 0.95 * len(kept)


def test_every_post_of_a_jekyll_blog_is_read(shared):
    name = "jekyll-posts.zip"
    items = {item.external_id: item for item in read(File.at(shared / "formats/found/jekyll" / name, name))}
    assert len(items) == 13
    assert not any(item.reason for item in items.values())
    assert [name for name, item in items.items() if item.held] == ["2022-06-05-published-false.md"]
    assert items["2021-9-1-alt-date-format.md"].date == date(2021, 9, 1)
    assert items["my-first-post.md"].date == date(2021, 11, 26)
    assert items["unquoted-date.markdown"].date == date(2022, 6, 6)
    basic = items["2022-06-05-basic.html"]
    assert (basic.title, basic.author, basic.date) == ("Basic HTML Post", "Mark Stosberg", date(2022, 6, 5))
    assert basic.read.startswith("First Paragraph")
