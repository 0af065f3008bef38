"""WordPress's markup: classic and block, with shortcodes."""

from __future__ import annotations

import pytest

from adapters.importers.hypertext import marked
from adapters.importers.marked import pieces, reading
from adapters.importers.wordpress_body import body


def read(content: str) -> str:
    found = marked(body(content))
    return reading(found.text, found.cuts)


def cuts(content: str) -> list[tuple[str, str]]:
    found = marked(body(content))
    return [(text.strip(), rule) for text, rule in pieces(found.text, found.cuts) if rule]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("One\ntwo\r\n\r\nthree", "One\ntwo\n\nthree"),
        ("One\n\n<h2>Two</h2>\nthree <em>four</em>\nfive", "One\n\nTwo\n\nthree four\nfive"),
        ("<p>One\ntwo</p>\n\nthree\n\nfour <b>five\n\nsix</b>", "One two\n\nthree\n\nfour five\n\nsix"),
        ("<p>One\n\n<div>two\n\nthree</div>", "One\n\ntwo\n\nthree"),
        ("One <br />\ntwo", "One\ntwo"),
        ("<ul>\n<li>a\n<li>b\n</ul>\nc", "- a\n- b\n\nc"),
        ("One<!--more Go on-->two<!--nextpage-->three", "One\n\ntwo\n\nthree"),
        ("One<!-- a note -->two", "Onetwo"),
        ("<!-- wp:paragraph {\"a\":1} -->\n<p>One\ntwo</p>\n<!-- /wp:paragraph -->\n\n<!-- wp:more -->"
         "<!--more--><!-- /wp:more -->"
         "<!-- wp:paragraph -->\n<p>Three</p>\n<!-- /wp:paragraph -->", "One two\n\nThree"),
        ("A [highlight]loud[/highlight] word.", "A loud word."),
        ("[section a=\"1\"][row]<p>Words.</p>[/row][/section]", "Words."),
        ("He wrote [sic], [emphasis mine] and [1].", "He wrote [sic], [emphasis mine] and [1]."),
        ("Write [[gallery]] for one.", "Write [gallery] for one."),
        ('<a href="https://a.example/?b[c d=e]">Linked</a>', "Linked"),
        ("[caption]never closed", "[caption]never closed"),
        ("[caption id=1]x[caption id=2]y[/caption] mine", "mine"),
        ("", ""),
    ],
)  # fmt: skip
def test_words_are_read_as_the_blog_shows_them(content, words):
    assert read(content) == words


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[caption id='a']<a href='x'><img src='y'></a> A <em>cat</em>[/caption]\nText", [("A cat", "caption")]),
        ('[caption caption="A cat"]<img src="y">[/caption]Text', [("A cat", "caption")]),
        ('[gallery ids="1,2"]\n\nText', [('[gallery ids="1,2"]', "shortcode")]),
        ("[embed]https://a.example/v[/embed]Text", [("https://a.example/v", "embed")]),
        ("[youtube https://a.example/v]\n\nText", [("[youtube https://a.example/v]", "shortcode")]),
        ("Text [code]a < <b>[/code]", [("a < <b>", "code")]),
        ("[quote]Not mine[/quote] Mine", [("> Not mine", "quotation")]),
        ("[foo bar=1] Text [/foo]", [("[foo bar=1]", "shortcode"), ("[/foo]", "shortcode")]),
        ("Text [widget /]", [("[widget /]", "shortcode")]),
    ],
)
def test_shortcodes_are_marked(content, found):
    assert cuts(content) == found


@pytest.mark.parametrize(
    "part", ["<!--", "<", "[", "[a ", "[a]", "[/a]", "[caption]", "[code]", "<p>", "\n \n", "[a x="]
)
def test_a_body_of_nothing_but_openings_is_read(part):
    assert isinstance(read(part * 3000), str)
