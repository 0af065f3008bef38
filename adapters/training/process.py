"""The parent's side of the trainer's process: starts it, gives it jobs, hears its events, outlives its death.
Knows the protocol and processes. Knows nothing of training itself, Celery or records."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from adapters.training.lifeline import Ended, Event, Mail, Process
from adapters.training.spec import Spec

LAST_WORDS: Final = frozenset({"saved", "cancelled", "failed"})
PULSE_SECONDS: Final = 0.5


class TrainingChild:
    """A trainer's process that is started when needed, stays warm between jobs, and is ended when it says nothing for
    `silence_seconds` although it has a job. Threads may share it: each trains a
    job of its own, and up to `jobs` of them are in training at once."""

    def __init__(
        self,
        *,
        base_model: str,
        models: Path,
        device: str = "auto",
        dtype: str = "auto",
        jobs: int = 1,
        idle_seconds: float = 600,
        silence_seconds: float = 1800,
        environment: Mapping[str, str] | None = None,
        module: str = "adapters.training.child",
    ) -> None:
        self._command = [
            *(sys.executable, "-m", module),
            *("--base-model", base_model, "--models", str(models.resolve())),
            *("--device", device, "--dtype", dtype, "--jobs", str(jobs), "--idle-seconds", str(idle_seconds)),
        ]
        # Threads that wait for each other go to sleep: on a machine with other work they would burn several times the
        # processor time of the training itself.
        self._environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, **(environment or {})}
        self._silence_seconds = silence_seconds
        self._process: Process | None = None
        self._starting = threading.Lock()

    def ensure(self) -> int:
        """Start the process unless it runs; its id."""
        return self._alive().pid

    def train(self, job: str, spec: Spec | Mapping[str, Any]) -> Iterator[Event | None]:
        """Train, yielding each event as it comes, and None at least twice a second meanwhile.

        The last event is `saved`, `cancelled` or `failed`, also when the process dies: then for every job in it.
        Leaving the iterator early cancels the job. Raises ValueError for a job that is in training already.
        """
        line = {"op": "train", "job": job, "spec": spec.as_dict() if isinstance(spec, Spec) else dict(spec)}
        for attempt in range(2):
            process = self._alive()
            heard = ended = False
            with process.hearing(job) as mail:
                process.send(line)
                sent = time.monotonic()
                try:
                    while not isinstance(event := _next(mail), Ended):
                        heard = heard or event is not None
                        if event is None:
                            self._end_if_stuck(process, since=sent)
                        ended = event is not None and event["kind"] in LAST_WORDS
                        yield event
                        if ended:
                            return
                    ended = True
                finally:
                    if not ended:
                        process.send({"op": "cancel", "job": job})
            # It may have left for idleness while the job was on its way: that is worth a second process.
            if heard or event.code != 0 or attempt:
                yield _died(job, event.code, process.stderr)
                return

    def _alive(self) -> Process:
        with self._starting:
            if self._process is None or not self._process.alive:
                self._process = Process(self._command, self._environment)
            return self._process

    def _end_if_stuck(self, process: Process, *, since: float) -> None:
        # Whoever trains tells every step: this long is no step, no measurement and no loading. Its jobs go on elsewhere
        # from what they saved last.
        if time.monotonic() - max(since, process.spoke_at) > self._silence_seconds:
            process.kill()

    def cancel(self, job: str) -> None:
        """Ask politely; the job's last event comes within a second or two. Harmless for a job that has ended."""
        if self._process is not None:
            self._process.send({"op": "cancel", "job": job})

    def kill(self) -> None:
        """End the process at once; jobs in it end as failed."""
        if self._process is not None:
            self._process.kill()

    def abandon(self, job: str) -> bool:
        """Do not wait for a job that was cancelled and does not stop: end the process at once if it is alone in there,
        and leave it to end by itself if it is not. Whether the process was ended."""
        return self._process is not None and self._process.kill_unless_shared(job)

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


def _next(mail: Mail) -> Event | Ended | None:
    try:
        return mail.get(timeout=PULSE_SECONDS)
    except queue.Empty:
        return None


def _died(job: str, code: int, stderr: Iterable[str]) -> Event:
    return {
        "job": job,
        "kind": "failed",
        "error": "training.child_died",
        "message": "The process that trains ended unexpectedly. Train again; if that fails, tell the operator.",
        "infrastructure": True,
        "detail": "\n".join([f"exit code {code}", *stderr]),
    }
