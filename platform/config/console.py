"""The terminal of a running site: one line at a time, marked with the process that wrote it.
Knows colours and widths. Knows nothing of processes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import TextIO

OWN_NAME = "idiolect"
# Readable on light and dark grounds alike; the supervisor's own lines are bold instead.
_COLOURS = ("36", "35", "33", "32", "34", "31")


class Console:
    """Writes whole lines from many threads."""

    def __init__(self, stream: TextIO, names: Iterable[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._names = list(names)
        self._width = max(len(name) for name in [OWN_NAME, *self._names])
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ

    def line(self, name: str, text: str) -> None:
        """One line of the process `name`; of a progress bar that redraws itself, what it shows in the end."""
        text = text.split("\r")[-1].rstrip()
        if text:
            self._write(f"{self._mark(name)}  {text}\n")

    def say(self, text: str = "") -> None:
        """One line of the supervisor's own."""
        self.line(OWN_NAME, text)

    def plain(self, text: str) -> None:
        """Text of several lines for people, without marks."""
        self._write(text + "\n")

    def _mark(self, name: str) -> str:
        padded = name.ljust(self._width)
        if not self._colour:
            return padded
        code = _COLOURS[self._names.index(name) % len(_COLOURS)] if name in self._names else "1"
        return f"\033[{code}m{padded}\033[0m"

    def _write(self, text: str) -> None:
        with self._lock:
            try:
                self._stream.write(text)
                self._stream.flush()
            except (BrokenPipeError, ValueError):
                # Whoever read the lines has gone (`make up | head`); the site goes on.
                self._stream = open(os.devnull, "w")  # noqa: SIM115  (it replaces the stream for good)
