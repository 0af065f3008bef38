"""From the HTML of a post to marked text: paragraphs, lists and quotations as words; what is no prose is marked.
Knows elements, and the classes that blog programs give them. Knows nothing of whole pages or of files."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lxml import etree
from lxml import html as lxml_html

from adapters.importers.decode import repaired
from adapters.importers.marked import Builder, Marked, stripped

Element = Any  # lxml has no types

_BLOCKS: Final = frozenset(
    """
    address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 h4
    h5 h6 header hgroup hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul
    """.split()  # noqa: SIM905
)
_SILENT: Final = frozenset("script style noscript template head title meta link svg math map area base".split())  # noqa: SIM905
"""No words of theirs are words of the post."""
_RULES: Final = {
    "blockquote": "quotation",
    "pre": "code",
    "figcaption": "caption",
    "iframe": "embed",
    "object": "embed",
    "embed": "embed",
    "video": "embed",
    "audio": "embed",
    "form": "widget",
    "button": "widget",
    "select": "widget",
    "textarea": "widget",
    "nav": "widget",
}
# By whole words of an element's class and id. The first that is found counts.
_BY_CLASS: Final = tuple(
    (rule, re.compile(rf"(?:^|[\s_-])(?:{names})(?:$|[\s_-])"))
    for rule, names in (
        (
            "embed",
            "embed|twitter-tweet|instagram-media|tiktok-embed|bookmark-card|reddit-card|podcast|audio-card|video-card|"
            "file-card|nft-card|mixtapeembed|embedded-post-wrap|embedded-publication-wrap|wp-block-file",
        ),
        ("quotation", "pullquote"),
        (
            "caption",
            "wp-caption-text|caption-text|image-caption|gallery|wp-block-gallery|image-gallery-embed|tr-caption",
        ),
        (
            "subscribe",
            "subscribe|subscription|subscriptions|subscription-widget|subscription-widget-wrap|signup|newsletter-signup|sharedaddy|"
            "share-buttons|share-dialog|sharing|social-share|kg-signup-card|kg-email-cta|captioned-button-wrap|jp-relatedposts|"
            "paywall|sqs-block-newsletter",
        ),
        (
            "widget",
            "button-wrapper|kg-button-card|kg-cta-card|kg-header-card-button|kg-product-card-button|wp-block-button|"
            "wp-block-buttons|sqs-block-button|sqs-block-form|poll-embed|comments|comment-form",
        ),
        ("shortcode", "shortcode"),
        ("quoted mail", "quoted-mail"),
        ("signature", "mail-signature"),
        ("byline", "byline|post-meta|entry-meta|p-author|dateline"),
        ("bio", "author-bio|about-author|about-the-author|author-box|authorbox|post-author-bio"),
        (
            "boilerplate",
            "related-posts|post-navigation|breadcrumbs|breadcrumb|toc|table-of-contents|screen-reader-text|"
            "hide-text|sqs-block-summary-v2",
        ),
    )
)
# Poems and letters that keep their lines stand in an element for listings.
_VERSE = re.compile(r"(?:^|[\s_-])(?:verse|preformatted-block)(?:$|[\s_-])")
_FOOTNOTE_MARK = re.compile(r"(?:^|[\s_-])(?:footnote|footnote-number|fn|fnref|sdfootnoteanc)(?:$|[\s_-])")
_NOTE_ADDRESS = re.compile(r"#(?:_?fn|footnote|note|cite)", re.IGNORECASE)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_SPACES = re.compile(r"[ \t\r\n\f\v\xa0]+")


def marked(markup: str) -> Marked:
    """The words of a fragment or a page. Markup that is broken is read as browsers do."""
    root = parse(markup)
    return Marked() if root is None else marked_element(root)


def parse(markup: str) -> Element | None:
    """The tree, in one element; None where there is nothing."""
    markup = repaired(markup.replace("\0", ""))
    if not markup.strip():
        return None
    parser = lxml_html.HTMLParser(remove_comments=True, remove_pis=True, no_network=True, encoding="utf-8")
    try:
        return lxml_html.document_fromstring(markup.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:  # nothing but comments
        return None


def marked_element(root: Element, rules: Mapping[Element, str] | None = None) -> Marked:
    """The words of an element that is parsed; `rules` are those of elements about which the caller knows more."""
    walk = _Walk(rules or {})
    walk.element(root, "", "")
    walk.flush()
    return walk.builder.done()


def as_paragraphs(text: str) -> str:
    """Plain text as HTML."""
    paragraphs = filter(None, _BLANK_LINES.split(text.strip()))
    return "".join("<p>" + html.escape(part, quote=False).replace("\n", "<br>") + "</p>" for part in paragraphs)


def plain(markup: str) -> str:
    """A title: all words in one line."""
    root = parse(markup)
    return "" if root is None else _line(root)


class _Walk:
    """Goes through a tree and gathers blocks."""

    def __init__(self, rules: Mapping[Element, str]) -> None:
        self._rules = rules
        self.builder = Builder()
        self._runs: list[tuple[str, str]] = []
        self._mark = ""
        self._quoted = 0
        self._gap = "\n\n"

    def element(self, node: Element, rule: str, around: str) -> None:
        """`rule` is that of an element around it, `around` the marks of the lists that it is in, as spaces."""
        tag = node.tag if isinstance(node.tag, str) else ""
        if tag in _SILENT or not tag:
            return
        rule = rule or self._rules.get(node, "") or _rule(node, tag)
        if tag == "br":
            self._runs.append(("\n", rule))
        elif tag == "pre":
            self.flush()
            lines = "".join(part if isinstance(part, str) else "\n" for part in node.xpath(".//text() | .//br"))
            self._block([(lines.strip("\n"), rule)])
        elif tag == "table" and not rule and not _is_layout(node):
            self.flush()
            self._table(node)
        elif tag in {"ul", "ol"}:
            self._list(node, tag, rule, around)
        elif tag == "blockquote":
            self.flush()
            self._quoted += 1
            self._inside(node, rule, around)
            self.flush()
            self._quoted -= 1
        elif tag in _BLOCKS:
            self.flush()
            self._inside(node, rule, around)
            self.flush()
        else:
            self._inside(node, rule, around)

    def flush(self) -> None:
        """End the paragraph that is being gathered."""
        runs, self._runs = self._runs, []
        for paragraph in _paragraphs(runs):
            self._block(paragraph)

    def _inside(self, node: Element, rule: str, around: str) -> None:
        if node.text:
            self._runs.append((_SPACES.sub(" ", node.text), rule))
        for child in node:
            before = len(self._runs)
            self.element(child, rule, around)
            if child.tail:
                tail = _SPACES.sub(" ", child.tail)
                if before == len(self._runs) and before and tail[0] in ".,;:!?":
                    # A picture stood before the mark, and a space before the picture.
                    self._runs[-1] = (self._runs[-1][0].rstrip(" "), self._runs[-1][1])
                self._runs.append((tail, rule))

    def _block(self, runs: Sequence[tuple[str, str]]) -> None:
        found = stripped(runs)
        if not found:
            return
        first = f"{'> ' * self._quoted}{self._mark}"
        rest = f"\n{'> ' * self._quoted}{' ' * len(self._mark)}"
        whole = [(text.replace("\n", rest), rule) for text, rule in found]
        whole[0] = (first + whole[0][0], whole[0][1])
        self.builder.block(whole, gap=self._gap)
        if self._mark:  # what follows in the same item stands below it
            self._mark, self._gap = " " * len(self._mark), "\n"

    def _list(self, node: Element, tag: str, rule: str, around: str) -> None:
        self.flush()
        outer = self._mark
        # A list whose items are no paragraphs of their own stays together, line by line.
        tight = not any(isinstance(child.tag, str) and child.find("p") is not None for child in node)
        number = _whole(node.get("start"), 1)
        for child in node:
            if child.tag != "li":
                self.element(child, rule, around)
                continue
            mark = "- " if tag == "ul" else f"{number}. "
            number += 1
            self._mark = around + mark
            self.element(child, rule, around + " " * len(mark))
            self.flush()
            self._gap = "\n" if tight or around else "\n\n"
        self._mark, self._gap = outer, "\n" if around else "\n\n"

    def _table(self, node: Element) -> None:
        rows = [
            [_SPACES.sub(" ", str(cell.text_content())).strip() for cell in row if _is_cell(cell)]
            for row in node.iter("tr")
        ]
        self._block([("\n".join(" | ".join(cells) for cells in rows if any(cells)), "table")])


def _rule(node: Element, tag: str) -> str:
    names = _classes(node)
    if tag == "sup" and (node.find(".//a") is not None or _FOOTNOTE_MARK.search(names)):
        return "footnote mark"
    if tag == "a" and (_FOOTNOTE_MARK.search(names) or _NOTE_ADDRESS.match(node.get("href", ""))):
        return "footnote mark"
    if node.get("hidden") is not None or _HIDDEN.search(node.get("style", "")):
        return "boilerplate"
    if tag == "pre" and _VERSE.search(f"{names} {_classes(node.getparent())}"):
        return ""
    if names.strip() and tag not in {"body", "html", "article", "main"}:
        for rule, pattern in _BY_CLASS:
            if pattern.search(names):
                return rule
    return _RULES.get(tag, "")


def _classes(node: Element | None) -> str:
    return "" if node is None else f"{node.get('class', '')} {node.get('id', '')}".lower()


def _paragraphs(runs: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Split at two line breaks in a row, as old blog programs part paragraphs; spaces at line breaks go."""
    paragraph: list[tuple[str, str]] = []
    broken = False
    for text, rule in runs:
        if text == "\n":
            if paragraph:
                paragraph[-1] = (paragraph[-1][0].rstrip(" "), paragraph[-1][1])
            if broken and paragraph:
                yield paragraph
                paragraph = []
            broken = True
            paragraph.append((text, rule))
        else:
            if broken or (paragraph and paragraph[-1][0].endswith(" ")):
                text = text.lstrip(" ")
            broken = broken and not text
            if text:
                paragraph.append((text, rule))
    if paragraph:
        yield paragraph


def _is_layout(table: Element) -> bool:
    """Mails and old pages put their text into tables of one column."""
    return all(sum(1 for cell in row if _is_cell(cell)) <= 1 for row in table.iter("tr"))


def _line(node: Element) -> str:
    return _SPACES.sub(" ", str(node.text_content())).strip()


def _is_cell(node: Element) -> bool:
    return node.tag in {"td", "th"}


def _whole(value: str | None, default: int) -> int:
    return int(value) if value is not None and value.lstrip("-").isdigit() and len(value) < 9 else default
