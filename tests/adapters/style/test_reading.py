"""Paragraphs, sentences and words of a text."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.style.reading import pieces, read

MARKED = st.lists(st.sampled_from(["a", "It’s", "well-known", ".", "?", "\n\n", "\n", " ", "“", "”", "- ", "😀"])).map(
    "".join
)


def sentences(text: str) -> list[str]:
    return [text[span.start : span.end] for paragraph in read(text).paragraphs for span in paragraph.sentences]


def test_sentences_end_at_marks_and_not_at_abbreviations():
    assert sentences("Dr. Smith came at 5 p.m. and left. Why? “He said so.”") == [
        "Dr. Smith came at 5 p.m. and left.",
        "Why?",
        "“He said so.”",
    ]


def test_a_sentence_does_not_go_on_into_the_next_paragraph():
    assert sentences("He came\n \nand left.") == ["He came", "and left."]


def test_words_are_small_with_straight_apostrophes_and_hyphens_join():
    assert read("It’s a WELL-known “fact”—no?").words == ("it's", "a", "well-known", "fact", "no")


def test_headings_and_lists_are_no_prose_and_verse_is():
    text = "# Tides\n\nTides\n\n- one thing.\n\nHe came.\n\n" + "and so it went on and on for ever and a day or two"

    assert [paragraph.prose for paragraph in read(text).paragraphs] == [False, False, False, True, True]


def test_half_a_character_is_no_hindrance():
    assert sentences("One \ud83d two. Three.") == ["One \ud83d two.", "Three."]


def test_pieces_are_cut_between_sentences_and_a_rest_joins_the_last():
    text = "One two three. Four five six. Seven eight nine. Ten."
    found = [text[start:end] for start, end in pieces(read(text), 3)]

    assert found == ["One two three.", "Four five six.", "Seven eight nine. Ten."]


@given(st.one_of(MARKED, st.text(st.characters())))
def test_every_word_is_in_one_sentence_and_every_place_in_the_text(text):
    reading = read(text)
    spans = [span for paragraph in reading.paragraphs for span in paragraph.sentences]

    assert [place for span in spans for place in range(span.first, span.last)] == list(range(len(reading.words)))
    for span in (*spans, *reading.paragraphs):
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == text[span.start : span.end].strip()
        assert span.start <= reading.places[span.first][0]
        assert reading.places[span.last - 1][1] <= span.end
