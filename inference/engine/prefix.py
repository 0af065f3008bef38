"""Pages of key/value cache: who holds them, and which can serve another request that begins alike.
Knows tokens and reference counts. Knows nothing of where pages lie or of when a request runs."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence as Items
from dataclasses import dataclass, field

from inference.engine.memory import Memory

PAGE = 16
"""Tokens in a page."""

_Key = tuple[int | str | None, tuple[int, ...]]


def pages_for(tokens: int) -> int:
    """Pages that hold so many tokens."""
    return -(-tokens // PAGE)


@dataclass
class Held:
    """The pages of one sequence, in order, and how far they are known to others."""

    pages: list[int] = field(default_factory=list)
    known: int = 0
    """Full pages, from the first, that are in the prefix cache or stand behind one that is."""
    place: int | str | None = None
    """Of the last of these in the tree of prefixes; at first the adapter's digest."""


class Pages:
    """Full pages stay in a tree of prefixes: the key of a page is the place of the one before it and its tokens.

    The root is the adapter's digest, so no voice ever finds another's pages. Places are numbers that never come again:
    a page that was reclaimed cannot be taken for the parent of what stood behind it. Pages that nobody holds are kept,
    the least recently used first to go, ends before beginnings.
    """

    def __init__(self, memory: Memory, *, keep: bool) -> None:
        self._memory = memory
        self._keep = keep
        self._holders: dict[int, int] = {}  # page -> how many sequences
        self._page_at: dict[_Key, int] = {}
        self._key_of: dict[int, _Key] = {}
        self._place_of: dict[int, int] = {}
        self._places = itertools.count(1)
        self._idle: OrderedDict[int, float] = OrderedDict()  # page -> when it was given back
        self.queries = 0
        self.hits = 0
        memory.keepers.append(self)

    # Holding

    def match(self, adapter: str | None, tokens: Items[int]) -> list[int]:
        """Pages of the longest known beginning that leaves a token to read: the model's answer comes from reading."""
        place: int | str | None = adapter
        found: list[int] = []
        for start in range(0, len(tokens) - PAGE, PAGE):
            page = self._page_at.get((place, tuple(tokens[start : start + PAGE])))
            if page is None:
                break
            found.append(page)
            place = self._place_of[page]
        return found

    def held_by_others(self, adapter: str | None, tokens: Items[int]) -> int:
        """Known pages that a sequence would share with one that runs: they cost it nothing."""
        return sum(page in self._holders for page in self.match(adapter, tokens)) if self._keep else 0

    def hold(self, held: Held, adapter: str | None, tokens: Items[int]) -> int:
        """Let a sequence without pages begin with the known ones; how many tokens need not be read."""
        assert not held.pages
        held.pages = self.match(adapter, tokens) if self._keep else []
        for page in held.pages:
            self._holders[page] = self._holders.get(page, 0) + 1
            self._idle.pop(page, None)
        held.known = len(held.pages)
        held.place = self._place_of[held.pages[-1]] if held.pages else adapter
        self.queries += len(tokens)
        self.hits += held.known * PAGE
        return held.known * PAGE

    def grow(self, held: Held, tokens: int) -> bool:
        """Until there is room for `tokens`; False, with what could be had, when memory is full."""
        while len(held.pages) < pages_for(tokens):
            page = self._memory.take_page()
            if page is None:
                return False
            self._holders[page] = 1
            held.pages.append(page)
        return True

    def learn(self, held: Held, tokens: Items[int], cached: int) -> None:
        """Let others find the pages that are full of known tokens, `cached` of which are in the cache."""
        if not self._keep:
            return
        while (held.known + 1) * PAGE <= min(cached, len(tokens)):
            key = (held.place, tuple(tokens[held.known * PAGE : (held.known + 1) * PAGE]))
            page = held.pages[held.known]
            if key not in self._page_at:
                self._page_at[key] = page
                self._key_of[page] = key
                self._place_of[page] = next(self._places)
            # Two may have read the same at the same time: one page is known, and both go on behind it.
            held.place = self._place_of[self._page_at[key]]
            held.known += 1

    def release(self, held: Held, *, now: float) -> None:
        """Give all of them back."""
        for page in reversed(held.pages):
            self._holders[page] -= 1
            if self._holders[page]:
                continue
            del self._holders[page]
            if page in self._key_of:
                self._idle[page] = now
            else:
                self._memory.give_page(page)
        held.pages, held.known, held.place = [], 0, None

    def forget(self, adapter: str) -> None:
        """Let nobody find what an adapter has written in the cache, and keep none of it."""
        places: set[int | str | None] = {adapter}
        # Parents come before children in the order of insertion.
        for key, page in list(self._page_at.items()):
            if key[0] in places:
                places.add(self._place_of[page])
                self._drop(page)
                if self._idle.pop(page, None) is not None:
                    self._memory.give_page(page)

    # Reclaimable

    def oldest(self) -> float | None:
        return next(iter(self._idle.values()), None)

    def reclaim(self) -> None:
        page, _ = self._idle.popitem(last=False)
        self._drop(page)
        self._memory.give_page(page)

    def frames(self) -> int:
        """Pages that are only kept."""
        return len(self._idle)

    def _drop(self, page: int) -> None:
        del self._page_at[self._key_of.pop(page)], self._place_of[page]
