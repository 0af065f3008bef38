"""Pages and blocks share the frames: none is handed out twice, none is lost, and none loses what it holds."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from inference.engine.memory import Memory

VALUES = 3
"""In a frame."""


class Kept:
    """Keeps pages that nobody uses, as the prefix cache does, each with the time when it was used."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.pages: list[tuple[float, int]] = []
        self.gone: list[float] = []
        memory.keepers.append(self)

    def oldest(self) -> float | None:
        return min(self.pages)[0] if self.pages else None

    def reclaim(self) -> None:
        self.pages.remove(least := min(self.pages))
        self.memory.give_page(least[1])
        self.gone.append(least[0])

    def frames(self) -> int:
        return len(self.pages)


class KeptBlocks:
    """The same for blocks, as the shelf of adapters does."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.blocks: list[tuple[float, int, int]] = []
        self.gone: list[float] = []
        memory.keepers.append(self)

    def oldest(self) -> float | None:
        return min(self.blocks)[0] if self.blocks else None

    def reclaim(self) -> None:
        self.blocks.remove(least := min(self.blocks))
        self.memory.give_block(*least[1:])
        self.gone.append(least[0])

    def frames(self) -> int:
        return sum(self.memory.frames_for(values) for _, _, values in self.blocks)


def memory_of(frames: int) -> Memory:
    return Memory(torch.zeros(frames + 1, VALUES))


def take_pages(memory: Memory, count: int) -> list[int]:
    pages = [memory.take_page() for _ in range(count)]
    assert None not in pages
    return [page for page in pages if page is not None]


def write(memory: Memory, page: int, value: float) -> None:
    memory.arena[int(memory.frame_of[page])] = value


def read(memory: Memory, page: int) -> list[float]:
    return memory.arena[int(memory.frame_of[page])].tolist()


def test_every_frame_is_a_page_once_and_no_more() -> None:
    memory = memory_of(9)
    pages = take_pages(memory, 9)
    assert sorted(memory.frame_of[pages]) == list(range(1, 10))
    assert memory.take_page() is None
    assert memory.take_block(1) is None
    assert memory.free == 0
    memory.give_page(pages[4])
    assert memory.take_page() is not None


def test_frame_zero_is_nobodys() -> None:
    memory = memory_of(4)
    assert memory.take_block(4 * VALUES) == 1
    assert memory.frame_of[0] == 0


def test_a_block_is_as_many_frames_as_its_values_need() -> None:
    memory = memory_of(9)
    first = memory.take_block(2 * VALUES + 1)
    assert first is not None
    assert memory.free == 6
    block = memory.block(first, 2 * VALUES + 1)
    assert block.shape == (2 * VALUES + 1,)
    assert block.data_ptr() == memory.arena[first].data_ptr()
    memory.give_block(first, 2 * VALUES + 1)
    assert memory.free == 9


def test_blocks_begin_at_the_low_end_and_pages_at_the_high_end() -> None:
    memory = memory_of(9)
    assert (memory.take_block(VALUES), memory.take_block(VALUES)) == (1, 2)
    assert memory.frame_of[take_pages(memory, 2)].tolist() == [9, 8]


def test_a_block_takes_the_tightest_hole() -> None:
    memory = memory_of(12)
    firsts = [memory.take_block(size * VALUES) for size in (4, 1, 2, 1)]
    assert firsts == [1, 5, 6, 8]
    memory.give_block(1, 4 * VALUES)
    memory.give_block(6, 2 * VALUES)
    assert memory.take_block(2 * VALUES) == 6


def test_pages_in_the_way_of_a_block_move_with_what_they_hold() -> None:
    memory = memory_of(12)
    pages = take_pages(memory, 12)
    for page in pages:
        write(memory, page, float(page))
    kept = [page for page in pages if memory.frame_of[page] % 2]
    for page in pages:
        if page not in kept:
            memory.give_page(page)
    before = {page: int(memory.frame_of[page]) for page in kept}
    first = memory.take_block(5 * VALUES)
    assert first is not None
    memory.block(first, 5 * VALUES).fill_(-1.0)
    assert [read(memory, page) for page in kept] == [[float(page)] * VALUES for page in kept]
    assert any(before[page] != memory.frame_of[page] for page in kept)
    assert all(not first <= memory.frame_of[page] < first + 5 for page in kept)
    assert memory.free == 1


def test_as_few_pages_move_as_can_be() -> None:
    memory = memory_of(10)
    pages = {int(memory.frame_of[page]): page for page in take_pages(memory, 10)}
    for frame in (1, 3, 6, 7, 9):
        memory.give_page(pages[frame])
    before = memory.frame_of.copy()
    assert memory.take_block(4 * VALUES) == 6  # 6 to 9 hold one page, every other run of four holds two or more
    moved = [
        page for frame, page in pages.items() if frame in (2, 4, 5, 8, 10) and before[page] != memory.frame_of[page]
    ]
    assert moved == [pages[8]]


def test_a_moved_page_can_be_given_back_and_its_frame_taken_again() -> None:
    memory = memory_of(4)
    pages = {int(memory.frame_of[page]): page for page in take_pages(memory, 4)}
    memory.give_page(pages[1])
    memory.give_page(pages[3])
    first = memory.take_block(2 * VALUES)
    assert first is not None
    for frame in (2, 4):
        memory.give_page(pages[frame])
    memory.give_block(first, 2 * VALUES)
    assert sorted(memory.frame_of[take_pages(memory, 4)]) == [1, 2, 3, 4]


def test_blocks_never_move() -> None:
    memory = memory_of(6)
    firsts = [memory.take_block(VALUES) for _ in range(6)]
    for first in firsts[::2]:
        assert first is not None
        memory.give_block(first, VALUES)
    assert memory.free == 3
    assert memory.take_block(2 * VALUES) is None


def test_of_all_that_nobody_uses_the_least_recently_used_goes_first() -> None:
    memory = memory_of(6)
    pages, blocks = Kept(memory), KeptBlocks(memory)
    for age, page in zip((1.0, 4.0), take_pages(memory, 2), strict=True):
        pages.pages.append((age, page))
    for age in (2.0, 3.0):
        first = memory.take_block(2 * VALUES)
        assert first is not None
        blocks.blocks.append((age, first, 2 * VALUES))
    assert memory.free == 0
    gone = []
    for _ in range(6):
        assert memory.take_page() is not None
        gone.append((list(pages.gone), list(blocks.gone)))
    assert gone == [
        ([1.0], []),
        ([1.0], [2.0]),
        ([1.0], [2.0]),
        ([1.0], [2.0, 3.0]),
        ([1.0], [2.0, 3.0]),
        ([1.0, 4.0], [2.0, 3.0]),
    ]
    assert memory.take_page() is None


def test_nothing_goes_that_need_not() -> None:
    memory = memory_of(6)
    pages = Kept(memory)
    pages.pages += [(float(age), page) for age, page in enumerate(take_pages(memory, 3))]
    assert memory.take_block(3 * VALUES) is not None
    assert pages.gone == []
    assert memory.take_block(2 * VALUES) is not None
    assert pages.gone == [0.0, 1.0]


def test_what_could_be_free_counts_what_is_kept() -> None:
    memory = memory_of(6)
    pages = Kept(memory)
    taken = take_pages(memory, 5)
    pages.pages += [(0.0, page) for page in taken[:2]]
    assert memory.could_free(3)
    assert not memory.could_free(4)


class Frames(RuleBasedStateMachine):
    """Every page and block holds its own number; pages that are kept may go at any time."""

    pages = Bundle("pages")
    blocks = Bundle("blocks")

    @initialize(frames=st.integers(3, 24))
    def begin(self, frames: int) -> None:
        self.memory = memory_of(frames)
        self.kept = Kept(self.memory)
        self.held: dict[int, float] = {}
        self.runs: dict[int, tuple[int, float]] = {}
        self.clock = 0.0

    def tick(self) -> float:
        self.clock += 1
        return self.clock

    def took(self, page: int | None) -> Any:
        if page is None:
            assert self.memory.free == 0
            assert not self.kept.pages
            return multiple()
        assert page not in self.held
        self.held[page] = self.tick()
        write(self.memory, page, self.held[page])
        return page

    @rule(target=pages)
    def take_page(self) -> Any:
        return self.took(self.memory.take_page())

    @rule(page=consumes(pages))
    def give_page(self, page: int) -> None:
        if self.held.pop(page, None) is not None:
            self.memory.give_page(page)

    @rule(page=consumes(pages))
    def keep_page(self, page: int) -> None:
        if self.held.pop(page, None) is not None:
            self.kept.pages.append((self.tick(), page))

    @rule(target=blocks, values=st.integers(1, 8 * VALUES))
    def take_block(self, values: int) -> Any:
        size = self.memory.frames_for(values)
        could = self.memory.could_free(size)
        first = self.memory.take_block(values)
        if first is None:
            # Without blocks in the way, pages that move always make a run.
            assert not could or self.runs
            return multiple()
        assert could
        self.runs[first] = (values, self.tick())
        self.memory.block(first, values).fill_(self.runs[first][1])
        return first

    @rule(first=consumes(blocks))
    def give_block(self, first: int) -> None:
        values, _ = self.runs.pop(first)
        self.memory.give_block(first, values)

    @precondition(lambda self: hasattr(self, "memory"))
    @invariant()
    def nothing_overlaps_and_nothing_is_lost(self) -> None:
        memory = self.memory
        used = [int(memory.frame_of[page]) for page in (*self.held, *(page for _, page in self.kept.pages))]
        for first, (values, _) in self.runs.items():
            used += range(first, first + memory.frames_for(values))
        assert len(set(used)) == len(used)
        assert all(1 <= frame <= memory.count for frame in used)
        assert memory.free == memory.count - len(used)
        assert memory.frames_in_pages == len(self.held) + len(self.kept.pages)

    @precondition(lambda self: hasattr(self, "memory"))
    @invariant()
    def everything_holds_what_was_written(self) -> None:
        for page, value in self.held.items():
            assert read(self.memory, page) == [value] * VALUES
        for first, (values, value) in self.runs.items():
            assert (self.memory.block(first, values) == value).all()


TestFrames = Frames.TestCase
TestFrames.settings = settings(max_examples=60, stateful_step_count=40, derandomize=True, database=None, deadline=None)
