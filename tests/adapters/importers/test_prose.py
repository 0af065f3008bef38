"""Markdown becomes what somebody would read aloud."""

from __future__ import annotations

import time

import pytest

from adapters.importers.marked import pieces, reading
from adapters.importers.prose import body, prose


def text(markdown: str) -> str:
    marked = prose(markdown)[1]
    return reading(marked.text, marked.cuts)


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("A [link](https://example.org) and [another][a].\n\n[a]: https://example.org", "A link and another."),
        ("*Light*, **strong**, ~~struck~~ and `code`.", "Light, strong, struck and code."),
        ("Wrapped\nby an editor.", "Wrapped by an editor."),
        ("Broken  \nby the author.", "Broken\nby the author."),
        ("Before ![a cat](cat.jpg) after.", "Before after."),
        ("See [![](small.png)](large.png).", "See."),
        ("Fish &amp; chips &copy;", "Fish & chips ©"),
        ("One<br>two <span class=x>three</span>", "One\ntwo three"),
        ("Say <script>alert(1)</script>nothing.", "Say nothing."),
        ("## A heading\n\nText.", "A heading\n\nText."),
        ("- one\n- two\n  - inner\n", "- one\n- two\n  - inner"),
        ("3. three\n4. four", "3. three\n4. four"),
        ("- one\n\n- two", "- one\n\n- two"),
        ("A note.[^1]\n\n[^1]: It says more.", "A note.\n\n1. It says more."),
        ("<div><p>Words in HTML.</p></div>", "Words in HTML."),
    ],
)
def test_the_words_stay_and_the_marks_go(markdown, read):
    assert text(markdown) == read


@pytest.mark.parametrize(
    "gone",
    [
        "```python\nprint('code')\n```",
        "    indented = code",
        "<!-- a comment about code -->",
        "| code | b |\n|---|---|\n| code | d |",
        "![code](x.png)",
        "---",
        "{% highlight c %}\nint code;\n{% endhighlight %}",
        "{% wide %}\n![code](x.png)\n{% endwide %}\n{: .code}",
        "{{< youtube code >}}",
    ],
)
def test_what_is_no_prose_is_left_out_and_its_neighbours_stay(gone):
    assert text(f"Before.\n\n{gone}\n\nAfter.") == "Before.\n\nAfter."


@pytest.mark.parametrize(
    ("markdown", "cut", "rule"),
    [
        ("Before.\n\n> Words of\n> somebody.\n\nAfter.", "> Words of somebody.", "quotation"),
        ("Before.\n\n```\ncode()\n```\n\nAfter.", "code()", "code"),
        ("Before.\n\n| a | b |\n|---|---|\n| c | d |\n\nAfter.", "a | b\nc | d", "table"),
        ("Before {{< youtube abc >}} after.", "{{< youtube abc >}}", "shortcode"),
        ("Before.[^1]\n\n[^1]: After.", "[1]", "footnote mark"),
        ("Before.\n\n<figure><figcaption>A cat</figcaption></figure>\n\nAfter.", "A cat", "caption"),
    ],
)
def test_what_is_no_prose_is_marked_with_its_rule(markdown, cut, rule):
    marked = prose(markdown)[1]
    assert (cut, rule) in list(pieces(marked.text, marked.cuts))


def test_a_rule_that_is_overruled_cuts_nothing():
    marked = prose("Before.\n\n> Quoted.\n\n```\ncode()\n```")[1]
    assert reading(marked.text, marked.cuts, {"quotation"}) == "Before.\n\n> Quoted."


def test_a_listing_that_is_never_closed_takes_the_rest():
    assert text("Before.\n\n{% highlight c %}\nint x;\n\nAfter.") == "Before."


@pytest.mark.parametrize("heading", ["# The title", "The title\n========="])
def test_a_first_heading_is_the_title(heading):
    title, marked = prose(f"{heading}\n\nText.")
    assert (title, marked.text) == ("The title", "Text.")


def test_a_later_or_lower_heading_is_text():
    title, marked = prose("## Section\n\nText.\n\n# Late")
    assert (title, marked.text) == ("", "Section\n\nText.\n\nLate")


@pytest.mark.parametrize("opening", ["{% highlight ", "{%", "{{<", "> ", "[^", "[^a", "<", "- ", "***\n"])
def test_twice_as_much_of_nothing_but_openings_takes_about_twice_as_long(opening):
    def took(times: int) -> float:
        started = time.process_time()
        prose(opening * times)
        return time.process_time() - started

    # Were it the square, sixteen times as much would take 256 times as long.
    assert took(16_000) < 80 * max(took(1_000), 0.005)


def test_characters_that_no_xml_may_have_break_nothing():
    title, marked = prose("<h1>Tea</h1>&#1;words")
    assert title == "Tea"
    assert "words" in marked.text


def test_a_body_keeps_its_first_heading():
    assert body("# Tea\n\nWords.").text == "Tea\n\nWords."
