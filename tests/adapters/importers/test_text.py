"""Plain text files."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.importers import File, Item, text


def read(content: str | bytes, name: str = "post.txt") -> Item:
    data = content.encode() if isinstance(content, str) else content
    [item] = text.items(File.of(name, data))
    return item


@pytest.mark.parametrize("title", ["On Being Idle", "What is it for?", "Chapter 4", "“Quoted”"])
def test_a_short_first_line_on_its_own_is_the_title(title):
    item = read(f"{title}\n\nNow, this is a subject.")
    assert (item.title, item.text) == (title, "Now, this is a subject.")


@pytest.mark.parametrize(
    "content",
    [
        "A first sentence that ends here.\n\nAnother one.",
        "Dear Anne,\n\nthank you.",
        "two lines\nof a poem\n\nand more",
        "only one line",
        "w" * 121 + "\n\nMore.",
    ],
)
def test_any_other_first_line_is_text(content):
    item = read(content)
    assert (item.title, item.text) == ("", content)


def test_lines_that_a_program_broke_are_joined():
    line = "twelve words of about the same length, which a program has broken here"
    assert read("\n".join([line] * 12) + "\n\nNext.").text == " ".join([line] * 12) + "\n\nNext."


def test_lines_that_the_author_broke_stay():
    verse = "\n".join(["A short line", "and another", "of one verse"] * 5)
    assert read(verse).text == verse


def test_the_date_may_stand_in_the_file_name():
    assert read("Text.", "2011-02-24 text size.txt").date == date(2011, 2, 24)


@pytest.mark.parametrize(("data", "said"), [(b"", "empty"), (b"\r\n \n", "empty"), (b"\0\1\2", "not a text file")])
def test_what_cannot_be_read_is_left_out_and_says_why(data, said):
    assert said in read(data).reason


def test_html_stays_what_it_is():
    assert read("Look: <script>alert(1)</script>").text == "Look: <script>alert(1)</script>"
