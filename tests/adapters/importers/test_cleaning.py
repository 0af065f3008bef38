"""Paragraphs that are no prose by their words."""

from __future__ import annotations

import pytest

from adapters.importers.cleaning import clean
from adapters.importers.marked import Cut, Marked, reading

PROSE = [f"The ferry of {year} was late, and I wrote down why it was late and who was on it." for year in range(8)]


def cleaned(paragraphs: list[str], author: str = "") -> list[tuple[str, str]]:
    found = clean(Marked(text="\n\n".join(paragraphs)), author=author)
    return [(found.text[cut.start : cut.end], cut.rule) for cut in found.cuts]


@pytest.mark.parametrize(
    ("paragraph", "rule"),
    [
        ("The post Slack Water appeared first on Tides.", "boilerplate"),
        ("Originally published at tides.example on 3 May 2019.", "boilerplate"),
        ("Continue reading Slack Water →", "boilerplate"),
        ("Filed under: ferries, chains", "boilerplate"),
        ("Thanks for reading Tides! Subscribe for free to receive new posts and support my work.", "subscribe"),
        ("Subscribe now", "subscribe"),
        ("Share this post", "subscribe"),
        ("Photo by A. Person on Unsplash", "caption"),
        ("https://example.org/watch?v=1", "embed"),
        ("[gallery ids=1,2]", "shortcode"),
    ],
)
@pytest.mark.parametrize("place", [0, 4, 8])
def test_what_programs_add_is_cut_wherever_it_stands(paragraph, rule, place):
    assert cleaned([*PROSE[:place], paragraph, *PROSE[place:]]) == [(paragraph, rule)]


@pytest.mark.parametrize("line", ["By Maren Oakes", "Posted on 3 May 2019", "4 min read", "Maren Oakes"])
def test_a_byline_is_cut_at_the_top_only(line):
    assert cleaned([line, *PROSE], author="Maren Oakes") == [(line, "byline")]
    assert cleaned([*PROSE[:5], line, *PROSE[5:]], author="Maren Oakes") == []


def test_a_bio_is_cut_at_the_end_only():
    bio = "Maren Oakes is a writer and ferry mechanic who lives on an island."
    assert cleaned([*PROSE, bio]) == [(bio, "bio")]
    assert cleaned([bio, *PROSE]) == []


@pytest.mark.parametrize(
    "paragraph",
    [
        "Subscribe to a paper and you will find that you read it less than the one you steal. " * 6,
        "By the time we arrived it was over.",
        "My father was a writer, and I am a mechanic.",
        "Share what you have, my mother said, and she meant the bread.",
        "[sic] is a word that people use to be rude.",
    ],
)
def test_prose_that_begins_alike_stays(paragraph):
    assert cleaned([paragraph, *PROSE, paragraph]) == []


def test_what_is_cut_already_keeps_its_rule():
    text = "Subscribe now\n\n" + "\n\n".join(PROSE)
    found = clean(Marked(text=text, cuts=(Cut(start=0, end=13, rule="widget"),)))
    assert [cut.rule for cut in found.cuts] == ["widget"]
    assert reading(found.text, found.cuts) == "\n\n".join(PROSE)
