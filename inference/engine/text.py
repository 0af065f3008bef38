"""Incremental detokenisation: from a sequence's tokens to text that is safe to show.
Knows incomplete characters and stop strings. Knows nothing of sampling or other sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# A tokenizer turns each byte that does not complete a character into U+FFFD (some: all such bytes into one). UTF-8
# characters have four bytes at most, so up to three at the end may still become a character.
_INCOMPLETE = "\ufffd"
_MOST_INCOMPLETE = 3


class TextStream:
    """Turns tokens into text piece by piece. What it has given out is never taken back.

    `tokenizer` None (dummy weights in benchmarks) yields no text.
    """

    def __init__(self, tokenizer: Any | None, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = stop
        self._ids: list[int] = []
        self._window = 0
        """First token decoded again at each push: decoding everything would be quadratic, and decoding the new token
        alone would lose the space that some tokenizers put only between tokens."""
        self._complete = 0
        """Tokens up to here ended on a whole character."""
        self._taken = 0
        """Characters of the window's text already taken over into `_held`."""
        self._held = ""
        """Text not given out yet: its end may be the beginning of a stop string."""

    def push(self, token: int, *, stops: bool = True) -> tuple[str, bool]:
        """Add a token; the text that is now safe to show, and whether a stop string was met.

        With `stops` False (below min_tokens), stop strings in the text so far pass.
        """
        if self._tokenizer is None:
            return "", False
        self._ids.append(token)
        self._held += self._new_text()
        if not stops:
            shown, self._held = self._held, ""
            return shown, False
        found = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        if found:
            shown, self._held = self._held[: min(found)], ""
            return shown, True
        safe = len(self._held) - self._possible_stop()
        shown, self._held = self._held[:safe], self._held[safe:]
        return shown, False

    def finish(self) -> str:
        """What was held back for a stop string that did not come. Half a character is dropped."""
        shown, self._held = self._held, ""
        return shown

    def _new_text(self) -> str:
        text = self._decode(self._ids[self._window :])
        whole = text
        while whole.endswith(_INCOMPLETE) and len(text) - len(whole) < _MOST_INCOMPLETE:
            whole = whole[:-1]
        new = whole[self._taken :]
        if whole == text:
            # Everything so far is settled: the next window starts where the token before this one ended.
            self._window, self._complete = self._complete, len(self._ids)
            self._taken = len(self._decode(self._ids[self._window :]))
        else:
            self._taken = max(self._taken, len(whole))
        return new

    def _decode(self, ids: list[int]) -> str:
        assert self._tokenizer is not None
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _possible_stop(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        begun = (n for stop in self._stop for n in range(1, len(stop)) if self._held.endswith(stop[:n]))
        return max(begun, default=0)
