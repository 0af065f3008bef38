"""A job inside the trainer's process, and its single end.
Knows the protocol's lines. Knows nothing of models or of where the lines go."""

from __future__ import annotations

import json
import threading
import traceback
from dataclasses import asdict
from typing import Any, TextIO


class Job:
    """One job and its single end: whoever comes first, the trainer or a cancel, has the last word."""

    def __init__(self, id: str, spec: dict[str, Any], lines: TextIO, lock: threading.Lock) -> None:
        self.id = id
        self.spec = spec
        self.stop = threading.Event()
        self.in_training = False
        self.told = False
        self.ended = False
        self._lines = lines
        self._lock = lock

    def tell(self, kind: str, **data: Any) -> None:
        with self._lock:
            self._write(kind, data)

    def end(self, kind: str, **data: Any) -> None:
        with self._lock:
            self._write(kind, data)
            self.ended = True

    def fail(self, error: Exception) -> None:
        """End with what is to be told about `error`; the operator reads the rest on stderr."""
        from adapters.training.failures import explain  # with PyTorch behind it, which a process at rest does not need

        traceback.print_exception(error)
        self.end("failed", **asdict(explain(error)))

    def begin_training(self) -> bool:
        """False when the job was cancelled before."""
        with self._lock:
            self.in_training = not self.ended
            return self.in_training

    def cancel(self) -> None:
        self.stop.set()
        with self._lock:
            if not self.in_training:  # nothing to interrupt: the base model goes on loading for the next job
                self._write("cancelled", {"step": 0})
                self.ended = True

    def _write(self, kind: str, data: dict[str, Any]) -> None:
        if not self.ended:
            self.told = True
            print(json.dumps({"job": self.id, "kind": kind, **data}), file=self._lines, flush=True)
