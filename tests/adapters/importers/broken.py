"""Files as they arrive broken: for tests that nothing but items, or a sentence, comes out of an importer.
Knows how to spoil bytes. Knows no format."""

from __future__ import annotations

from hypothesis import strategies as some

from adapters.importers import File, Importer, Item, Unreadable


def spoiled(valid: bytes) -> some.SearchStrategy[bytes]:
    """`valid` cut off, with bytes changed, with a part said twice or left out, or any bytes at all."""
    place = some.integers(0, len(valid))

    def changed(data: bytes, at: list[tuple[int, bytes]]) -> bytes:
        for position, piece in at:
            data = data[:position] + piece + data[position + len(piece) :]
        return data

    return some.one_of(
        some.binary(max_size=300),
        place.map(lambda end: valid[:end]),
        some.tuples(place, place).map(lambda ends: valid[: max(ends)] + valid[min(ends) :]),
        some.tuples(place, place).map(lambda ends: valid[: min(ends)] + valid[max(ends) :]),
        some.builds(
            changed, some.just(valid), some.lists(some.tuples(place, some.binary(min_size=1, max_size=6)), max_size=8)
        ),
    )


def only_items(importer: Importer, file: File) -> list[Item]:
    """What it finds, until it gives up with a sentence."""
    found: list[Item] = []
    sentence = "Nothing broke."
    try:
        if importer.detect(file):
            found.extend(importer.items(file))
    except Unreadable as error:
        sentence = str(error)
    assert sentence.endswith(".")
    for item in found:
        assert item.external_id
        assert all(0 <= cut.start < cut.end <= len(item.text) for cut in item.cuts)
    return found
