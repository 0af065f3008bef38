"""Markdown becomes what somebody would read aloud."""

from __future__ import annotations

import time

import pytest

from adapters.importers.prose import prose


def text(markdown: str) -> str:
    return prose(markdown)[1]


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
        ("> Words of\n> somebody.\n>\n> More.", "> Words of somebody.\n>\n> More."),
        ("A note.[^1]\n\n[^1]: It says more.", "A note.\n\nIt says more."),
        ("A bare note[^2] here.\n\n[^2]: https://example.org", "A bare note here."),
    ],
)
def test_the_words_stay_and_the_marks_go(markdown, read):
    assert text(markdown) == read


@pytest.mark.parametrize(
    "gone",
    [
        "```python\nprint('code')\n```",
        "    indented = code",
        "<div><p>raw code</p></div>",
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


def test_a_listing_that_is_never_closed_takes_the_rest():
    assert text("Before.\n\n{% highlight c %}\nint x;\n\nAfter.") == "Before."


@pytest.mark.parametrize("heading", ["# The title", "The title\n========="])
def test_a_first_heading_is_the_title(heading):
    assert prose(f"{heading}\n\nText.") == ("The title", "Text.")


def test_a_later_or_lower_heading_is_text():
    assert prose("## Section\n\nText.\n\n# Late") == ("", "Section\n\nText.\n\nLate")


@pytest.mark.parametrize("opening", ["{% highlight ", "{%", "{{<", "> ", "[^", "[^a", "<", "- ", "***\n"])
def test_twice_as_much_of_nothing_but_openings_takes_about_twice_as_long(opening):
    def took(times: int) -> float:
        started = time.process_time()
        prose(opening * times)
        return time.process_time() - started

    # Were it the square, sixteen times as much would take 256 times as long.
    assert took(16_000) < 80 * max(took(1_000), 0.005)
