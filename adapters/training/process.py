"""The parent's side of the trainer's process: starts it, gives it jobs, hears its events, outlives its death.
Knows the protocol and processes. Knows nothing of training itself, Celery or records."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from adapters.training.lifeline import Ended, Event, Process
from adapters.training.spec import Spec

LAST_WORDS: Final = frozenset({"saved", "cancelled", "failed"})
PULSE_SECONDS: Final = 0.5


class TrainingChild:
    """A trainer's process that is started when needed and stays warm between jobs. One job at a time."""

    def __init__(
        self,
        *,
        base_model: str,
        models: Path,
        device: str = "auto",
        dtype: str = "auto",
        idle_seconds: float = 600,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [
            *(sys.executable, "-m", "adapters.training.child"),
            *("--base-model", base_model, "--models", str(models.resolve())),
            *("--device", device, "--dtype", dtype, "--idle-seconds", str(idle_seconds)),
        ]
        # Threads that wait for each other go to sleep: on a machine with other work they would burn several times the
        # processor time of the training itself.
        self._environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **(environment or {})}
        self._process: Process | None = None
        self._busy = threading.Lock()

    def ensure(self) -> int:
        """Start the process unless it runs; its id."""
        if self._process is None or not self._process.alive:
            self._process = Process(self._command, self._environment)
        return self._process.pid

    def train(self, job: str, spec: Spec | Mapping[str, Any]) -> Iterator[Event | None]:
        """Train, yielding each event as it comes, and None at least twice a second meanwhile.

        The last event is `saved`, `cancelled` or `failed`, also when the process dies. Leaving the iterator early
        cancels the job.
        """
        if not self._busy.acquire(blocking=False):
            raise ValueError(f"job: {job!r} has to wait, the trainer is at work")
        line = {"op": "train", "job": job, "spec": spec.as_dict() if isinstance(spec, Spec) else dict(spec)}
        ended = False
        try:
            for event in self._events(line):
                ended = event is not None and event["kind"] in LAST_WORDS
                yield event
        finally:
            self._busy.release()
            if not ended:
                self.cancel(job)

    def _events(self, line: Mapping[str, Any]) -> Iterator[Event | None]:
        for attempt in range(2):
            self.ensure()
            process = self._process
            assert process is not None
            process.send(line)
            heard = False
            while not isinstance(event := process.next(PULSE_SECONDS), Ended):
                if event is not None and event["job"] != line["job"]:
                    continue  # the end of an earlier job that nobody waited for
                heard = heard or event is not None
                yield event
                if event is not None and event["kind"] in LAST_WORDS:
                    return
            # It may have left for idleness while the job was on its way: that is worth a second process.
            if heard or event.code != 0 or attempt:
                yield _died(line["job"], event.code, process.stderr)
                return

    def cancel(self, job: str) -> None:
        """Ask politely; the job's last event comes within a second or two. Harmless for a job that has ended."""
        if self._process is not None:
            self._process.send({"op": "cancel", "job": job})

    def kill(self) -> None:
        """End the process at once; a job in it ends as failed."""
        if self._process is not None:
            self._process.kill()

    def close(self, timeout: float = 10) -> None:
        """Let the process leave, and end it if it does not within `timeout` seconds."""
        if self._process is not None:
            self._process.close(timeout)
            self._process = None

    @property
    def pid(self) -> int | None:
        """The process's id while it lives."""
        return self._process.pid if self._process is not None and self._process.alive else None

    @property
    def rss(self) -> int:
        """Bytes of memory it holds; 0 when it does not live."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid is not None else 0
        except psutil.NoSuchProcess:
            return 0


def _died(job: str, code: int, stderr: Iterable[str]) -> Event:
    return {
        "job": job,
        "kind": "failed",
        "error": "training.child_died",
        "message": "The process that trains ended unexpectedly. Train again; if that fails, tell the operator.",
        "infrastructure": True,
        "detail": "\n".join([f"exit code {code}", *stderr]),
    }
