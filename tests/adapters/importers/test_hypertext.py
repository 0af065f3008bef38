"""HTML becomes the words of a post, and what is no prose is marked."""

from __future__ import annotations

import pytest

from adapters.importers.hypertext import marked, plain
from adapters.importers.marked import pieces, reading


def read(markup: str) -> str:
    found = marked(markup)
    return reading(found.text, found.cuts)


@pytest.mark.parametrize(
    ("markup", "words"),
    [
        ("<p>One <em>two</em>  three.</p>\n<p>Four.</p>", "One two three.\n\nFour."),
        ("<p>One<br>two</p>", "One\ntwo"),
        ("One<br><br>two <br/> three", "One\n\ntwo\nthree"),
        ("<h2>Head</h2>Text", "Head\n\nText"),
        ("<ul><li>a<li>b<ul><li>c</li></ul></li></ul><p>d", "- a\n- b\n  - c\n\nd"),
        ("<ol start=3><li><p>x</p><p>y</p></li><li><p>z</p></li></ol>", "3. x\n   y\n\n4. z"),
        ("<table><tr><td><p>A mail’s text.</p></td></tr></table>", "A mail’s text."),
        ('<pre class="wp-block-verse">Roses\n  red</pre>', "Roses\n  red"),
        ('<div class="preformatted-block"><label class="hide-text">Text</label><pre>a<br>b</pre></div>', "a\nb"),
        ("<p>a&nbsp;&amp;&#8217;b</p>", "a &’b"),
        ("<p>Broken <b>markup</p><p>is read</i>.", "Broken markup\n\nis read."),
        ("<script>no()</script><style>p{}</style><p>Text<!-- no --></p>", "Text"),
        ("", ""),
        ("<!-- nothing -->", ""),
    ],
)
def test_words_are_read_as_a_browser_shows_them(markup, words):
    assert read(markup) == words


@pytest.mark.parametrize(
    ("markup", "cut", "rule"),
    [
        ("<blockquote><p>Words.</p></blockquote>", "> Words.", "quotation"),
        ("<pre><code>a\n  b</code></pre>", "a\n  b", "code"),
        ("<pre>a<br>b</pre>", "a\nb", "code"),
        ('<div class="pullquote"><p>Words.</p></div>', "Words.", "quotation"),
        ('<div class="graf graf--mixtapeEmbed"><a>A card</a></div>', "A card", "embed"),
        ('<figure class="kg-card kg-file-card">notes.pdf</figure>', "notes.pdf", "embed"),
        ('<a class="kg-header-card-button">Go</a>', "Go", "widget"),
        ('<div class="sqs-block-newsletter">Join!</div>', "Join!", "subscribe"),
        ('<table><tr><td class="tr-caption">A cat</td></tr></table>', "A cat", "caption"),
        ("<figure><img><figcaption>A cat</figcaption></figure>", "A cat", "caption"),
        ('<div class="wp-caption"><p class="wp-caption-text">A cat</p></div>', "A cat", "caption"),
        ('<blockquote class="twitter-tweet"><p>A tweet</p></blockquote>', "> A tweet", "embed"),
        ('<div class="subscription-widget-wrap"><p>Join!</p></div>', "Join!", "subscribe"),
        ('<p>Text<sup><a href="#fn1">1</a></sup></p>', "1", "footnote mark"),
        ('<p>Text<a class="footnote-anchor" href="#footnote-1">1</a></p>', "1", "footnote mark"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>c</td><td>d</td></tr></table>", "a | b\nc | d", "table"),
        ('<p style="display: none">Hidden</p>', "Hidden", "boilerplate"),
        ("<form>Your mail <button>Send</button></form>", "Your mail Send", "widget"),
    ],
)
def test_what_is_no_prose_is_marked_with_its_rule(markup, cut, rule):
    found = marked(f"<p>Before.</p>{markup}<p>After.</p>")
    assert (cut, rule) in [(text.strip(), rule) for text, rule in pieces(found.text, found.cuts)]
    assert read(f"<p>Before.</p>{markup}<p>After.</p>").split()[0] == "Before."


def test_ordinary_classes_are_no_reason():
    assert read('<div class="post-content shared-layout"><p class="has-text-align-left">Text</p></div>') == "Text"


def test_a_title_is_its_words():
    assert plain("Ham &amp; <i>Eggs</i>\n") == "Ham & Eggs"


def test_ten_thousand_elements_within_each_other_break_nothing():
    assert "a" in marked("<div>" * 10_000 + "a").text or marked("<div>" * 10_000 + "a").text == ""
