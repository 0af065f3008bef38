"""One life of the trainer's process: its pipes, its last words, its end.
Knows lines of JSON and Linux's rules about parents. Knows nothing of jobs."""

from __future__ import annotations

import json
import logging
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
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


class Process:
    """A running child: lines go in, events come out, then Ended."""

    def __init__(self, command: list[str], environment: Mapping[str, str]) -> None:
        self.stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._lines: queue.Queue[Event | Ended] = queue.Queue()
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

    def next(self, timeout: float) -> Event | Ended | None:
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            return None

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

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
            if line.endswith("\n"):  # else its writer was killed in the middle of it
                self._lines.put(json.loads(line))
        code = popen.wait()
        errors.join(timeout=1)
        self._lines.put(Ended(code))

    def _read_errors(self, popen: subprocess.Popen[str]) -> None:
        assert popen.stderr is not None
        for line in popen.stderr:
            self.stderr.append(line.rstrip())
            log.info("trainer: %s", line.rstrip())
