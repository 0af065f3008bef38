"""Where a post may be cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.training.paragraphs import SEPARATOR, pieces, plain, tail


def words(text: str) -> int:
    return len(text.split())


def test_plain_text_has_unix_lines_and_one_blank_line_between_paragraphs():
    assert plain("\r\n One\r\ntwo \r\n\r\n \t\r\n\r\nThree\n\n") == "One\ntwo\n\nThree"


def test_the_indent_of_a_later_paragraph_stays():
    assert plain("Code:\n\n    print(1)\n") == "Code:\n\n    print(1)"


def test_a_paragraph_that_fits_is_one_piece():
    text = "One two. Three four.\n\nFive six."

    assert [(text[p.start : p.end], p.paragraph) for p in pieces(text, words, 4)] == [
        ("One two. Three four.", 0),
        ("Five six.", 1),
    ]


def test_a_long_paragraph_is_cut_after_sentences():
    text = "One two. Three “four!” Five six seven? Eight."

    assert [text[p.start : p.end] for p in pieces(text, words, 4)] == [
        "One two. Three “four!” ",
        "Five six seven? Eight.",
    ]


def test_a_long_sentence_is_cut_after_words():
    assert [p.tokens for p in pieces("one two three four five six seven", words, 3)] == [3, 3, 1]


def test_text_without_any_space_is_cut_all_the_same():
    found = pieces("x" * 1000, len, 100)

    assert max(piece.tokens for piece in found) <= 100
    assert sum(piece.end - piece.start for piece in found) == 1000


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab .!?\n”", max_size=300), st.integers(2, 12))
def test_pieces_cover_the_text_in_order_and_none_is_too_long(text, most):
    text = plain(text)
    found = pieces(text, len, most)

    assert "".join(text[p.start : p.end] for p in found) == text.replace(SEPARATOR, "")
    assert all(p.tokens <= most for p in found)
    for piece in found:
        assert text[piece.start : piece.end] in text.split(SEPARATOR)[piece.paragraph]


def test_the_tail_is_as_many_whole_sentences_as_fit():
    text = "One two three. Four five. Six seven.\n\nEight nine."
    end = text.index("Eight")

    assert text[tail(text, end, words, 4) : end].strip() == "Four five. Six seven."
    assert text[tail(text, end, words, 3) : end].strip() == "Six seven."


def test_the_tail_is_empty_when_no_sentence_fits():
    text = "One two three four. Five."

    assert text[tail(text, text.index(" Five"), words, 3) :] == " Five."


@pytest.mark.timeout(20)
def test_megabytes_without_a_paragraph_are_cut_in_seconds():
    text = "and so it went on " * 300_000

    assert len(pieces(text.strip(), words, 400)) > 3000
