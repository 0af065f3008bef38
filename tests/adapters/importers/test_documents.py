"""Documents of office programs and books: Word, OpenDocument, EPUB and rich text."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.importers import File, Held, Item, docx, epub, importer_of, odt, read, rtf
from adapters.importers.marked import pieces
from tests.adapters.importers.broken import only_items, spoiled
from tests.adapters.importers.test_folder import packed

WORDS = "The ferry was late, and I wrote down why it was late and who was on it."
W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"


def paragraph(style: str, text: str) -> str:
    of_style = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{of_style}<w:r><w:t>{text}</w:t></w:r></w:p>"


def word(*paragraphs: str | tuple[str, str], more: dict[str, str] | None = None) -> bytes:
    """A document of paragraphs, each with or without a style."""
    styles = sorted({one[0] for one in paragraphs if isinstance(one, tuple)})
    runs = [
        one
        if isinstance(one, str) and one.startswith("<")
        else paragraph(*(("", one) if isinstance(one, str) else one))
        for one in paragraphs
    ]
    kinds = f"{OFFICE}/relationships"
    relation = f'<Relationship Id="r1" Type="{kinds}/styles" Target="styles.xml"/>'
    return packed(
        {
            "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
            "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
            f'Type="{OFFICE}/relationships/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
            f"{relation}</Relationships>",
            "word/styles.xml": f'<w:styles xmlns:w="{W}">'
            + "".join(
                f'<w:style w:type="paragraph" w:styleId="{one}"><w:name w:val="{one}"/></w:style>' for one in styles
            )
            + "</w:styles>",
            "word/document.xml": f'<w:document xmlns:w="{W}"><w:body>{"".join(runs)}</w:body></w:document>',
            "docProps/core.xml": '<p xmlns:dc="d" xmlns:t="t"><dc:title>In the file</dc:title>'
            "<dc:creator>Maren Oakes</dc:creator><t:created>2020-01-02T10:00:00Z</t:created></p>",
            **(more or {}),
        }
    )


NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "style", "table", "meta", "drawing")
)
STYLES = "".join(
    f'<style:style style:name="{name}" style:parent-style-name="{parent}"/>'
    for name, parent in (("P1", "Quotations"), ("P2", "Preformatted_20_Text"), ("P3", "Caption"), ("P4", "Title"))
)


def opendocument(body: str, **more: str) -> bytes:
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "content.xml": f"<o {NAMES}><office:automatic-styles>{STYLES}</office:automatic-styles>"
            f"<office:body><office:text>{body}</office:text></office:body></o>",
            "meta.xml": f'<m {NAMES} xmlns:dc="d"><meta:initial-creator>Maren Oakes</meta:initial-creator>'
            "<meta:creation-date>2020-01-02T10:00:00</meta:creation-date><dc:title>In the file</dc:title></m>",
            **more,
        }
    )


def book(*chapters: str, more: dict[str, str] | None = None) -> bytes:
    manifest = "".join(f'<item id="c{n}" href="text/c{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    return packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container><rootfile full-path="OPS/book.opf"/></container>',
            "OPS/book.opf": '<package xmlns:dc="d"><metadata><dc:identifier>urn:book</dc:identifier>'
            "<dc:title>Tides</dc:title><dc:creator>Maren Oakes</dc:creator>"
            "<dc:date>2020-01-02</dc:date></metadata>"
            f'<manifest>{manifest}<item id="nav" href="nav.xhtml" properties="nav"/></manifest>'
            f'<spine><itemref idref="nav"/>{spine}<itemref idref="gone"/></spine></package>',
            "OPS/nav.xhtml": "<html><body><h1>Contents</h1></body></html>",
            **{f"OPS/text/c{n}.xhtml": f"<html><body>{text}</body></html>" for n, text in enumerate(chapters)},
            **(more or {}),
        }
    )


RTF = (
    rb"{\rtf1\ansi\ansicpg1252{\info{\title In the file}{\author Maren Oakes}}{\fonttbl{\f0 A;}}\pard Slack Water\par "
)


def one(data: bytes, name: str = "post") -> Item:
    [item] = read(File.of(name, data))
    return item


def cuts(item: Item) -> list[tuple[str, str]]:
    return [(text, rule) for text, rule in pieces(item.text, item.cuts) if rule]


def test_a_word_document_is_one_post():
    item = one(word(("Title", "Slack Water"), WORDS, ("Heading1", "Second"), "More."), "tides.docx")
    assert (item.external_id, item.title, item.author, item.date) == (
        "tides.docx", "Slack Water", "Maren Oakes", date(2020, 1, 2),
    )  # fmt: skip
    assert item.read == f"{WORDS}\n\nSecond\n\nMore."


@pytest.mark.parametrize(
    ("style", "text", "rule"),
    [
        ("Quote", "> Cut.", "quotation"),
        ("Intense Quote", "> Cut.", "quotation"),
        ("caption", "Cut.", "caption"),
        ("HTML Preformatted", "Cut.", "code"),
        ("toc 1", "Cut.", "boilerplate"),
    ],
)
def test_words_styles_say_what_is_no_prose(style, text, rule):
    item = one(word(WORDS, (style, "Cut."), WORDS))
    assert cuts(item) == [(text, rule)]
    assert item.read == f"{WORDS}\n\n{WORDS}"


def test_what_was_deleted_or_remarked_in_word_is_not_read():
    deleted = (
        "<w:p><w:del><w:r><w:delText>Gone</w:delText></w:r></w:del><w:ins><w:r><w:t>Stays.</w:t></w:r></w:ins></w:p>"
    )
    assert one(word(WORDS, deleted)).text == f"{WORDS}\n\nStays."


@pytest.mark.parametrize(("first", "title"), [("Slack Water", "Slack Water"), ("It was late.", "In the file")])
def test_a_short_first_line_is_the_title_before_that_in_the_file(first, title):
    assert one(word(first, WORDS)).title == title
    assert one(opendocument(f"<text:p>{first}</text:p><text:p>{WORDS}</text:p>")).title == title


def test_an_opendocument_text_is_one_post():
    body = f'<text:p text:style-name="P4">Slack Water</text:p><text:p>{WORDS}</text:p><text:h>Second</text:h>'
    item = one(opendocument(body + "<text:p>One<text:s text:c='2'/>two<text:line-break/>three</text:p>"), "tides.odt")
    assert (item.external_id, item.title, item.author, item.date) == (
        "tides.odt", "Slack Water", "Maren Oakes", date(2020, 1, 2),
    )  # fmt: skip
    assert item.read == f"{WORDS}\n\nSecond\n\nOne two\nthree"


@pytest.mark.parametrize(
    ("part", "cut", "rule"),
    [
        ('<text:p text:style-name="P1">Cut.</text:p>', "> Cut.", "quotation"),
        ('<text:p text:style-name="P2">Cut.</text:p>', "Cut.", "code"),
        ('<text:p text:style-name="P3">Cut.</text:p>', "Cut.", "caption"),
        ("<text:table-of-content><text:p>Cut.</text:p></text:table-of-content>", "Cut.", "boilerplate"),
        ("<table:table><table:table-row><table:table-cell><text:p>A</text:p></table:table-cell><table:table-cell>"
         "<text:p>B</text:p></table:table-cell></table:table-row></table:table>", "A | B", "table"),
    ],
)  # fmt: skip
def test_opendocuments_styles_say_what_is_no_prose(part, cut, rule):
    item = one(opendocument(f"<text:p>{WORDS}</text:p>{part}<text:p>{WORDS}</text:p>"))
    assert cuts(item) == [(cut, rule)]


def test_footnotes_of_an_opendocument_come_last_and_remarks_never():
    note = "<text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body>"
    note = f"<text:note>{note}</text:note>"
    body = f"<text:p>{WORDS}{note}</text:p><text:tracked-changes><text:p>Gone</text:p></text:tracked-changes>"
    item = one(opendocument(body + "<text:list><text:list-item><text:p>Item</text:p></text:list-item></text:list>"))
    assert item.read == f"{WORDS}\n\n- Item\n\n1. A note."
    assert "Gone" not in item.text


def chapter(title: str, times: int = 20) -> str:
    return f"<h2>{title}</h2>" + f"<p>{WORDS}</p>" * times


def test_each_chapter_of_a_book_is_a_post():
    items = list(read(File.of("tides.epub", book(chapter("One"), chapter("Two")))))
    assert [(item.external_id, item.title) for item in items] == [
        ("urn:book#OPS/text/c0.xhtml", "One"), ("urn:book#OPS/text/c1.xhtml", "Two"),
    ]  # fmt: skip
    assert {(item.author, item.date, item.held) for item in items} == {("Maren Oakes", date(2020, 1, 2), None)}
    assert items[0].read == "\n\n".join([WORDS] * 20)


def test_what_has_no_heading_goes_on_from_the_chapter_before():
    items = list(read(File.of("a", book(chapter("One"), f"<p>{WORDS}</p><pre>x</pre>", chapter("Two")))))
    assert [item.title for item in items] == ["One", "Two"]
    assert items[0].read == "\n\n".join([WORDS] * 21)
    assert cuts(items[0]) == [("x", "code")]


def test_title_pages_and_the_like_wait():
    front = '<section epub:type="titlepage"><h1>Tides</h1><p>by Maren</p></section>'
    items = list(read(File.of("a", book(front, "<h2>For Anne</h2><p>With love.</p>", chapter("One"), chapter("Two")))))
    assert [item.held for item in items] == [Held.PAGE, Held.PAGE, None, None]


def test_a_thin_book_is_one_post():
    item = one(book(chapter("One", 2), chapter("Two", 2)))
    assert (item.external_id, item.title, item.held) == ("urn:book", "Tides", None)
    assert item.read == "\n\n".join([WORDS] * 4)


def test_rich_text_is_one_post():
    text = rb"It\u8217?s \'fcber {\b late}{\footnote A note.}, caf\'e9.\par Next\line line.\par}"
    item = one(RTF + text, "tides.rtf")
    assert (item.title, item.author) == ("Slack Water", "Maren Oakes")
    assert item.read == "It’s über late, café.\n\nNext\n\nline.\n\nA note."


LOCK = '<encryption><CipherReference URI="OPS/text/c0.xhtml"/></encryption>'
BOMB: dict[str, Any] = {
    "docx": lambda text: word(WORDS, more={"word/document.xml": text}),
    "odt": lambda text: opendocument("", **{"content.xml": text}),
    "epub": lambda text: book(chapter("One"), more={"OPS/text/c0.xhtml": text}),
}


@pytest.mark.parametrize("ending", BOMB)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("entity", ['"lol"', 'SYSTEM "file:///etc/passwd"'])
def test_a_document_with_entities_of_its_own_is_refused(ending, encoding, entity):
    text = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x {entity}>]><a>&x;</a>'.encode(encoding)
    item = one(BOMB[ending](text))
    assert "entities of its own" in item.reason


@pytest.mark.parametrize("ending", BOMB)
def test_a_part_that_unpacks_to_far_more_is_refused(ending):
    assert "far more than it seems" in one(BOMB[ending](b" " * 20_000_000)).reason


@pytest.mark.parametrize("ending", ["docx", "odt"])
def test_elements_within_elements_without_end_break_nothing(ending):
    deep = b"<a>" * 50_000
    assert one(BOMB[ending](deep)).reason


@pytest.mark.parametrize(
    "data",
    [
        book(chapter("One"), more={"META-INF/encryption.xml": LOCK}),
        opendocument("", **{"META-INF/manifest.xml": "<m><encryption-data/></m>"}),
    ],
)
def test_what_is_locked_says_so(data):
    assert "locked with a password" in one(data).reason


def test_locked_fonts_keep_nobody_from_reading():
    assert one(book(chapter("One"), more={"META-INF/encryption.xml": LOCK.replace("text/c0.xhtml", "a.otf")})).read


@pytest.mark.parametrize(
    ("importer", "data"),
    [
        (docx, word(WORDS)),
        (odt, opendocument(f"<text:p>{WORDS}</text:p>")),
        (epub, book(chapter("One"))),
        (rtf, RTF + b"A\\par}"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a", "a.pdf", "a.html"])
def test_a_document_is_read_as_what_it_is_whatever_it_is_called(importer, data, name):
    assert importer_of(File.of(name, data)) is importer
    assert one(data, name).read


@settings(max_examples=50, deadline=None)
@given(data=spoiled(word(("Title", "A"), ("Quote", "B"), "C")))
def test_a_broken_word_document_gives_items_or_a_sentence(data):
    only_items(docx, File.of("any.docx", data))


@settings(max_examples=50, deadline=None)
@given(
    text=spoiled(f'<w:document xmlns:w="{W}"><w:body><w:p><w:r><w:t>A</w:t></w:r></w:p></w:body></w:document>'.encode())
)
def test_a_word_document_with_broken_xml_gives_items_or_a_sentence(text):
    only_items(docx, File.of("any.docx", word(WORDS, more={"word/document.xml": text})))


@settings(max_examples=50, deadline=None)
@given(
    text=spoiled(
        f"<o {NAMES}><office:text><text:p>A<text:s text:c='3'/><text:note/></text:p></office:text></o>".encode()
    )
)
def test_a_broken_opendocument_gives_items_or_a_sentence(text):
    only_items(odt, File.of("any.odt", opendocument("", **{"content.xml": text})))
    only_items(odt, File.of("any.odt", text))


@settings(max_examples=50, deadline=None)
@given(
    text=spoiled(
        b'<package><metadata/><manifest><item id="c0" href="text/c0.xhtml"/></manifest><spine><itemref idref="c0"/>'
    )
)
def test_a_broken_book_gives_items_or_a_sentence(text):
    only_items(epub, File.of("any.epub", book(chapter("One"), more={"OPS/book.opf": text})))
    only_items(epub, File.of("any.epub", book(chapter("One"), more={"OPS/text/c0.xhtml": text})))


@settings(max_examples=50, deadline=None)
@given(data=spoiled(RTF + rb"It\u8217?s {\*\footnote A}{\footnote B {c}}\'e9\par}"))
def test_broken_rich_text_gives_items_or_a_sentence(data):
    only_items(rtf, File.of("any.rtf", data))
