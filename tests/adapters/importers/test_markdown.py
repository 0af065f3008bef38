"""Markdown files, with and without front matter."""

from __future__ import annotations

from datetime import date

import pytest

from adapters.importers import File, Held, Item, finished, markdown


def read(content: str | bytes, name: str = "post.md") -> Item:
    data = content.encode() if isinstance(content, str) else content
    [item] = markdown.items(File.of(name, data))
    return finished(item)


def post(fields: str) -> Item:
    return read(f"---\n{fields}\n---\n\nText.")


def test_title_and_date_come_from_the_front_matter_and_the_original_is_kept():
    source = "---\ntitle: Slack Water\ndate: 2024-01-28\ntags: [ferry]\n---\nThe *chain* is new.\n"
    item = read(source)
    assert (item.title, item.date, item.text) == ("Slack Water", date(2024, 1, 28), "The chain is new.")
    assert item.original == source
    assert item.external_id == "post.md"
    assert not item.reason


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2022-10-05T03:19:07Z", date(2022, 10, 5)),
        ('"2022-10-05 23:59:00 -0800"', date(2022, 10, 5)),
        ("2022/10/05", date(2022, 10, 5)),
        ("5 October 2022", date(2022, 10, 5)),
        ('"October 5, 2022"', date(2022, 10, 5)),
        ("soon", None),
        ("2022-13-45", None),
        ("[2022]", None),
        ("", None),
    ],
)
def test_dates_are_read_as_people_and_programs_write_them(written, day):
    assert post(f"title: A\ndate: {written}").date == day


def test_the_date_may_stand_in_the_file_name():
    assert read("Text.", "2011-02-24-text-size.md").date == date(2011, 2, 24)


@pytest.mark.parametrize("mark", ["draft: true", "published: false", "Draft: yes", "status: draft", 'draft: "true"'])
def test_drafts_are_held_back(mark):
    assert post(f"title: A\n{mark}").held is Held.DRAFT


@pytest.mark.parametrize("mark", ["draft: false", "published: true", "published: 2020-01-01", "status: published"])
def test_published_posts_are_kept(mark):
    assert post(f"title: A\n{mark}").held is None


@pytest.mark.parametrize("name", ["in-reply-to", "in_reply_to", "inReplyTo"])
def test_posts_that_answer_another_blog_wait(name):
    assert post(f"title: A\n{name}: https://tides.example/1").held is Held.REPLY
    assert post(f"title: A\n{name}:").held is None
    assert post(f"title: A\ndraft: true\n{name}: https://tides.example/1").held is Held.DRAFT


def test_toml_front_matter_is_read():
    item = read('+++\ntitle = "Slack Water"\ndate = 2024-01-28T10:00:00Z\ndraft = true\n+++\nText.')
    assert (item.title, item.date) == ("Slack Water", date(2024, 1, 28))
    assert item.held is Held.DRAFT


def test_front_matter_that_is_not_quite_yaml_still_gives_its_fields():
    item = post("title: Ferries: a love story\ndate: 2024-01-28")
    assert (item.title, item.date, item.text) == ("Ferries: a love story", date(2024, 1, 28), "Text.")


@pytest.mark.parametrize("title", ["1984", "[a, b]", "{a: b}", "null", "2001-01-01", "true"])
def test_a_title_may_be_anything_and_nothing_breaks(title):
    assert post(f"title: {title}").text == "Text."


def test_a_number_can_be_a_title():
    assert post("title: 1984").title == "1984"


@pytest.mark.parametrize("text", ["---\n\nOne.\n\n---\n\nTwo.", "---\nNever closed.", "--- a dash"])
def test_rules_are_not_taken_for_front_matter(text):
    assert "." in read(text).text or "dash" in read(text).text


def test_text_between_two_rules_is_kept():
    assert read("---\n\nOne.\n\n---\n\nTwo.").text == "One.\n\nTwo."


def test_a_first_heading_is_the_title_when_no_field_is():
    item = read("# Slack Water\n\nText.")
    assert (item.title, item.text) == ("Slack Water", "Text.")


def test_the_field_wins_over_a_first_heading_which_is_not_read_twice():
    item = read("---\ntitle: Slack Water\n---\n# Slack Water\n\nText.")
    assert (item.title, item.text) == ("Slack Water", "Text.")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \r\n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "not a text file"),
        (b"```\nonly code\n```", "Nothing is left to read"),
        (b"---\ntitle: A\n---\n", "Nothing is left to read"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_says_why(data, said):
    assert said in read(data).reason


@pytest.mark.parametrize("bomb", ["[" * 15_000, "{a: " * 4_000, "a: &a [*a]", "!!python/object/apply:os.system [x]"])
def test_front_matter_made_to_break_readers_breaks_nothing(bomb):
    assert read(f"---\n{bomb}\n---\nText.").text.endswith("Text.")


def test_a_title_of_ten_thousand_characters_is_cut():
    assert len(read("---\ntitle: " + "long " * 2000 + "\n---\nText.").title) <= 300


def test_html_in_a_title_is_only_text():
    assert post("title: <b>Bold</b>").title == "<b>Bold</b>"
