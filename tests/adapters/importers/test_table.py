"""Tables with commas, whole and broken."""

from __future__ import annotations

import pytest

from adapters.importers import File, Unreadable
from adapters.importers.table import columns, rows


def read(data: str | bytes) -> tuple[list[dict[str, str]], str]:
    """The rows, and what went wrong."""
    found = []
    try:
        for row in rows(File.of("a.csv", data.encode() if isinstance(data, str) else data)):
            found.append(row)  # noqa: PERF402 - what was read before it went wrong counts
    except Unreadable as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_rows_are_read_by_their_columns_in_any_encoding(encoding):
    data = 'Id, Title \r\n1,"Café, ""x""\ny"\r\n\r\n'.encode(encoding)
    assert read(data) == ([{"id": "1", "title": 'Café, "x"\ny'}], "")
    assert columns(File.of("a.csv", data)) == {"id", "title"}


def test_a_table_that_breaks_off_in_a_row_says_so():
    found, wrong = read("id,title,text\n1,a,b\n2,c")
    assert found == [{"id": "1", "title": "a", "text": "b"}]
    assert "damaged at line 3" in wrong
    assert read('id,title,text\n1,a,b\n2,"c\nd')[0] == found


def test_rows_without_their_last_empty_cells_are_whole():
    found, wrong = read("id,title,text\n1,a\n2,b\n")
    assert [row["title"] for row in found] == ["a", "b"]
    assert not wrong
    assert found[0]["text"] == ""


def test_a_short_row_among_others_is_read():
    assert [row["id"] for row in read("id,title\n1\n2,b\n")[0]] == ["1", "2"]


def test_an_endless_cell_is_damage():
    found, wrong = read('id,title\n1,a\n2,"' + "x" * 20_000_001)
    assert [row["id"] for row in found] == ["1"]
    assert "damaged" in wrong


@pytest.mark.parametrize(("name", "data"), [("a.txt", b"id,title"), ("a.csv", b""), ("a.csv", b"\n")])
def test_what_is_no_table_has_no_columns(name, data):
    assert columns(File.of(name, data)) == frozenset()
