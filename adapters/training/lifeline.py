"""One life of the trainer's process: its pipes, its last words, its end.
Knows lines of JSON, which job each is about, and Linux's rules about parents. Knows nothing of what they say."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

log = logging.getLogger(__name__)

ROOT: Final = Path(__file__).resolve().parents[2]
STDERR_LINES: Final = 20

Event = dict[str, Any]
"""A protocol line: `job`, `kind` and the kind's own fields."""


class Ended:
    """Comes after the last line: the process is gone."""

    def __init__(self, code: int) -> None:
        self.code = code


Mail = queue.Queue[Event | Ended]
"""What comes for one job; Ended is the last."""


class Process:
    """A running child: lines go in; events come out, each for whoever listens for its job, then Ended for everybody."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self.spoke_at = time.monotonic()
        self._mail: dict[str, Mail] = {}
        self._ended: Ended | None = None
        self._sorting = threading.Lock()
        self._sending = threading.Lock()
        started: queue.Queue[subprocess.Popen[str] | OSError] = queue.Queue()
        # The child asks Linux to end it when its parent does, and to Linux the parent is the thread that started it:
        # a thread of a pool may end long before the job, this one lives as long as the child.
        threading.Thread(target=self._keep, args=(command, environment, started), daemon=True).start()
        popen = started.get()
        if isinstance(popen, OSError):
            raise popen
        self._popen = popen

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def send(self, line: Mapping[str, Any]) -> None:
        assert self._popen.stdin is not None
        with self._sending:
            try:
                self._popen.stdin.write(json.dumps(line) + "\n")
                self._popen.stdin.flush()
            except (BrokenPipeError, ValueError):
                log.info("the trainer's process %s was gone already", self.pid)  # the reading side says the rest

    @contextmanager
    def hearing(self, job: str) -> Iterator[Mail]:
        """Inside, what the process says of `job`. Raises ValueError for one that somebody hears already."""
        mail: Mail = queue.Queue()
        with self._sorting:
            if job in self._mail:
                raise ValueError(f"job: {job!r} is in training already")
            self._mail[job] = mail
            if self._ended:
                mail.put(self._ended)
        try:
            yield mail
        finally:
            with self._sorting:
                del self._mail[job]

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def kill_unless_shared(self, job: str) -> bool:
        """Kill it if nobody hears of another job than `job`."""
        with self._sorting:  # so that none begins in this moment
            alone = not self._mail.keys() - {job}
            if alone:
                self._popen.kill()
        return alone

    def close(self, timeout: float) -> None:
        assert self._popen.stdin is not None
        with self._sending:
            try:
                self._popen.stdin.close()
            except BrokenPipeError:
                log.info("the trainer's process %s was gone already", self.pid)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()

    def _keep(
        self,
        command: list[str],
        environment: Mapping[str, str],
        started: queue.Queue[subprocess.Popen[str] | OSError],
    ) -> None:
        pipe = subprocess.PIPE
        try:
            popen = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8"
            )
        except OSError as error:
            started.put(error)
            return
        assert popen.stdout is not None
        errors = threading.Thread(target=self._read_errors, args=(popen,), daemon=True)
        errors.start()
        started.put(popen)
        for line in popen.stdout:
            self.spoke_at = time.monotonic()
            if line.endswith("\n"):  # else its writer was killed in the middle of it
                self._sort(json.loads(line))
        code = popen.wait()
        errors.join(timeout=1)
        with self._sorting:
            self._ended = Ended(code)
            for mail in self._mail.values():
                mail.put(self._ended)

    def _sort(self, event: Event) -> None:
        with self._sorting:
            if mail := self._mail.get(event["job"]):  # else it is the end of a job that nobody waited for
                mail.put(event)

    def _read_errors(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stderr is not None
        for line in popen.stderr:
            self.stderr.append(line.rstrip())
            log.info("trainer: %s", line.rstrip())
