"""PDF files: lines on pages become paragraphs."""

from __future__ import annotations

import io
from datetime import date

import pytest
from hypothesis import given, settings
from pypdf import PdfWriter

from adapters.importers import File, Item, importer_of, pdf, read
from adapters.importers.marked import pieces
from tests.adapters.importers.broken import only_items, spoiled

LINES = [
    "The ferry was late again this morning, and I wrote down why it was",
    "late and who was on it, for somebody has to keep a book of such un-",
    "important things, and nobody else on this island has the patience.",
]
PARAGRAPH = (
    "The ferry was late again this morning, and I wrote down why it was late and who was on it, for somebody has to "
    "keep a book of such unimportant things, and nobody else on this island has the patience."
)


def printed(*pages: list[str], about: str = "") -> bytes:
    """A PDF whose pages have these lines."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    parts = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        text = f"BT /F1 12 Tf 72 720 Td {shown} ET"
        parts.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        parts.append(f"<< /Length {len(text)} >>\nstream\n{text}\nendstream")
    parts.append(f"<< {about} >>")
    data = b"%PDF-1.4\n"
    places = []
    for number, part in enumerate(parts, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{part}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<< /Size {len(parts) + 1} /Root 1 0 R /Info {len(parts)} 0 R >>"
    end = f"xref\n0 {len(parts) + 1}\n0000000000 65535 f \n{table}trailer\n{trailer}\nstartxref\n{len(data)}\n%%EOF"
    return data + end.encode()


def locked(password: str) -> bytes:
    writer = PdfWriter(clone_from=io.BytesIO(printed(LINES)))
    writer.encrypt(password, owner_password="owner", algorithm="RC4-128")
    data = io.BytesIO()
    writer.write(data)
    return data.getvalue()


def one(data: bytes, name: str = "tides.pdf") -> Item:
    [item] = read(File.of(name, data))
    return item


def test_lines_are_joined_and_words_that_were_parted_are_whole_again():
    assert one(printed(LINES)).read == PARAGRAPH


def test_a_line_that_stops_short_ends_its_paragraph():
    assert one(printed([*LINES, "And so on.", *LINES])).read == f"{PARAGRAPH} And so on.\n\n{PARAGRAPH}"


def test_a_heading_is_a_paragraph():
    assert one(printed(["Slack Water", *LINES])).read.split("\n\n") == ["Slack Water", PARAGRAPH]


def test_a_paragraph_goes_on_over_pages():
    assert one(printed(LINES[:2], LINES[2:])).read == PARAGRAPH


@pytest.mark.parametrize("number", ["{}", "- {} -", "Page {} of 9", "Tides {}"])
def test_headers_footers_and_numbers_of_pages_are_cut(number):
    names = ["Anne", "Bela", "Cora", "Dora", "Edda"]
    pages = [[line.replace("ferry", name).replace("island", name) for line in LINES] for name in names]
    item = one(printed(*(["TIDES, A BOOK", *lines, number.format(page)] for page, lines in enumerate(pages, 7))))
    expected = [PARAGRAPH.replace("ferry", name).replace("island", name) for name in names]
    assert item.read == " ".join(expected)
    assert {rule for _, rule in pieces(item.text, item.cuts) if rule} == {"boilerplate"}
    assert "TIDES, A BOOK" in item.text


def test_a_line_that_is_repeated_within_pages_stays():
    item = one(printed(*([*LINES, f"Line {page} of a refrain", *LINES] for page in range(4))))
    assert item.read.count("of a refrain") == 4


def test_what_the_program_notes_down_is_kept():
    item = one(printed(LINES, about="/Title (Slack Water) /Author (Maren Oakes) /CreationDate (D:20200102100000Z)"))
    assert (item.title, item.author, item.date) == ("Slack Water", "Maren Oakes", date(2020, 1, 2))
    assert one(printed(["Slack Water", *LINES], about="/Title (Microsoft Word - a.doc)")).title == "Slack Water"
    assert one(printed(LINES), "2021-03-04 tides.pdf").date == date(2021, 3, 4)


def test_a_locked_file_says_so():
    assert "locked with a password" in one(locked("secret")).reason
    assert one(locked("")).read == PARAGRAPH


def test_a_scan_says_so():
    assert "pictures of pages" in one(printed([], [])).reason


def test_a_file_of_too_many_pages_is_refused():
    assert "2,001 pages" in one(printed(*[[] for _ in range(2_001)])).reason


def test_a_file_that_takes_too_long_gives_what_was_read(monkeypatch):
    monkeypatch.setattr(pdf, "LONGEST", -1.0)
    assert "0 of its pages" in one(printed(LINES)).reason


@pytest.mark.parametrize("name", ["a.txt", "a", "a.docx"])
def test_a_pdf_is_read_as_what_it_is_whatever_it_is_called(name):
    assert importer_of(File.of(name, printed(LINES))) is pdf


@settings(max_examples=50, deadline=None)
@given(data=spoiled(printed(["Slack Water", *LINES], LINES, about="/Title (A) /CreationDate (D:2020)")))
def test_a_broken_pdf_gives_items_or_a_sentence(data):
    only_items(pdf, File.of("any.pdf", data))
