from adapters.style.meter import words


def test_words_are_what_white_space_parts():
    assert words("One, two\nthree — four.") == 4


def test_marks_of_lists_and_dashes_are_no_words():
    assert words("- one\n* two\n—\n…") == 2


def test_nothing_has_no_words():
    assert words(" \n") == 0
