"""Two texts in a terminal."""

from config.columns import GAP, side_by_side, wrapped

LEFT = "Base model", "One two three four five six seven eight nine ten eleven twelve.\n\nAnd again."
RIGHT = "Essays", "Short."


def test_texts_stand_beside_each_other_and_fit():
    lines = side_by_side(LEFT, RIGHT, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    column = (80 - len(GAP)) // 2
    assert lines[0] == "BASE MODEL".ljust(column) + GAP + "ESSAYS"
    assert lines[2][column + len(GAP) :] == "Short."
    assert "And again." in lines[-1]


def test_in_a_narrow_terminal_they_stand_below_each_other():
    text = side_by_side(LEFT, RIGHT, width=40)
    assert max(map(len, text.splitlines())) <= 40
    assert text.index("And again.") < text.index("ESSAYS")


def test_paragraphs_keep_their_blank_lines_and_their_indent():
    assert wrapped("One two\n\nthree", width=7, indent=2) == "  One\n  two\n\n  three"
