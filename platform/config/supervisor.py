"""Supervisor: starts the processes of the site, starts the fallen ones again, leaves none behind.
Knows processes, signals and patience. Knows nothing of what the processes are for (see `config.stack`)."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from config import leftovers
from config.console import Console

LONGEST_PAUSE = 30.0
# A process that has run this long has not failed to start: it gets its first, short pause again.
STEADY_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Looked up before any fork: afterwards only async-signal-safe things should happen.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


class StopRequested(Exception):
    """Somebody asked the supervisor to stop while it was waiting for something."""


class CommandFailed(Exception):
    """A command that had to succeed did not; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """One process of the site."""

    name: str
    """What its lines are marked with."""
    argv: Sequence[str]
    """Its command line."""
    grace: float = 10.0
    """Seconds between the polite request to stop and the kill."""
    outlives: bool = False
    """Stopped after all others, because they need it to stop well."""
    orphan_signal: signal.Signals = signal.SIGKILL
    """What the kernel sends it when the supervisor itself is killed."""


@dataclass
class _Running:
    command: Command
    process: subprocess.Popen[bytes]
    since: float
    failures: int = 0
    again_at: float | None = None


class Supervisor:
    """Runs commands side by side. Its methods belong to one thread; `request_stop` may be called from anywhere."""

    def __init__(
        self,
        *,
        console: Console,
        record: Path,
        environment: Mapping[str, str],
        folder: Path,
        on_watch: Callable[[dict[int, str]], None] | None = None,
    ) -> None:
        self._console = console
        self._on_watch = on_watch
        self._record = record
        self._environment = dict(environment)
        self._folder = folder
        self._running: dict[str, _Running] = {}
        self._readers: list[threading.Thread] = []
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._once: dict[str, subprocess.Popen[bytes]] = {}
        self._strangers = {child.pid for child in psutil.Process().children()}
        self._requests = 0
        if _prctl:
            # Whatever a child leaves behind becomes ours instead of init's: `stop` finds it.
            _prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def request_stop(self, *_: object) -> None:
        """Asks once: stop. Asks twice: at once. Fit to be a signal handler."""
        # A number and no Event: a signal handler that takes a lock may meet itself.
        self._requests += 1

    def extend_environment(self, **variables: str) -> None:
        """What processes started from now on see in addition."""
        self._environment.update(variables)

    def start(self, command: Command) -> None:
        """Run `command` until `stop`, again and again if need be."""
        self._running[command.name] = _Running(command, self._spawn(command), time.monotonic())
        self._note()

    def run(self, *commands: Command, plain: bool = False) -> None:
        """Run commands side by side to their end. `plain`: their output goes to the terminal as it is.

        Raises CommandFailed for the first that fails, StopRequested when asked to stop meanwhile.
        """
        self._once = once = {command.name: self._spawn(command, plain=plain) for command in commands}
        try:
            while any(process.poll() is None for process in once.values()):
                self.watch(0.1)
        finally:
            leftovers.end([psutil.Process(process.pid) for process in once.values() if process.poll() is None])
            self._once = {}
        for name, process in once.items():
            if process.returncode:
                raise CommandFailed(f"{name} failed ({_how(process.returncode)})")

    def wait(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Watch over the processes until `ready`. Raises StopRequested like `run`, and CommandFailed after `seconds`
        or as soon as a process has failed three times in a row: at a first start that is no accident."""
        end = time.monotonic() + seconds
        while not ready():
            for entry in self._running.values():
                if entry.failures >= 3 and entry.again_at is not None:
                    raise CommandFailed(f"{entry.command.name} does not start: its own lines above say why")
            if time.monotonic() > end:
                raise CommandFailed(f"{what} within {seconds:.0f} s: its own lines above say why")
            self.watch(0.1)

    def watch(self, seconds: float) -> None:
        """Look after the processes for a moment. Raises StopRequested as soon as somebody asks to stop."""
        for entry in self._running.values():
            self._look_after(entry)
        self._bury_adopted()
        if self._on_watch:
            self._on_watch(self.names())
        time.sleep(seconds)
        if self._requests:
            raise StopRequested

    def names(self) -> dict[int, str]:
        """The processes that run now, by number."""
        once = {process.pid: name for name, process in self._once.items()}
        return once | {entry.process.pid: name for name, entry in self._running.items() if entry.again_at is None}

    def stop(self) -> None:
        """End every process that was started and every process that those started."""
        for last in (False, True):
            entries = [entry for entry in self._running.values() if entry.command.outlives == last]
            self._end([entry for entry in entries if entry.again_at is None])
        ours = [child for child in psutil.Process().children() if child.pid not in self._strangers]
        leftovers.end([one for child in ours for one in [*_below(child.pid), child]])
        for reader in self._readers:
            reader.join(timeout=1)
        self._running.clear()
        self._record.unlink(missing_ok=True)

    def _look_after(self, entry: _Running) -> None:
        now = time.monotonic()
        if entry.again_at is None and entry.process.poll() is not None:
            entry.failures = 1 if now - entry.since > STEADY_SECONDS else entry.failures + 1
            pause = min(2.0 ** (entry.failures - 1), LONGEST_PAUSE)
            entry.again_at = now + pause
            ending = _how(entry.process.returncode)
            self._console.say(f"{entry.command.name} stopped by itself ({ending}); starting it again in {pause:.0f} s")
        elif entry.again_at is not None and now >= entry.again_at:
            entry.process, entry.since, entry.again_at = self._spawn(entry.command), now, None
            self._note()

    def _spawn(self, command: Command, *, plain: bool = False) -> subprocess.Popen[bytes]:
        parent = os.getpid()

        def tether() -> None:
            if _prctl:
                _prctl(_PR_SET_PDEATHSIG, command.orphan_signal, 0, 0, 0)
                if os.getppid() != parent:  # killed between fork and here
                    os._exit(1)

        process = subprocess.Popen(
            command.argv,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=None if plain else subprocess.PIPE,
            stderr=None if plain else subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C at the terminal reaches the supervisor only, which stops them in order
            preexec_fn=tether,
        )
        self._spawned = [other for other in self._spawned if other.poll() is None] + [process]
        if not plain:
            reader = threading.Thread(target=self._read, args=(command.name, process), daemon=True)
            reader.start()
            self._readers = [other for other in self._readers if other.is_alive()] + [reader]
        return process

    def _read(self, name: str, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._console.line(name, line.decode(errors="replace").rstrip())

    def _end(self, entries: list[_Running]) -> None:
        below = [child for entry in entries for child in _below(entry.process.pid)]
        # Politely to the process alone: it knows best what to do with its children.
        for entry in entries:
            entry.process.terminate()
        asked = time.monotonic()
        for entry in entries:
            while entry.process.poll() is None and self._requests < 2:
                if time.monotonic() - asked > entry.command.grace:
                    self._console.say(f"{entry.command.name} does not stop; killing it")
                    break
                time.sleep(0.05)
            if entry.process.poll() is None:
                entry.process.kill()
                entry.process.wait()
        leftovers.end([child for child in below if child.is_running()])

    def _bury_adopted(self) -> None:
        # As subreaper we inherit the dead of our children; unless waited for, they stay in the process table.
        own = {process.pid for process in self._spawned if process.poll() is None}
        while _prctl and own:
            dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if dead is None or dead.si_pid in own | self._strangers:
                return
            os.waitpid(dead.si_pid, 0)

    def _note(self) -> None:
        leftovers.remember(self._record, {name: pid for pid, name in self.names().items()})


def _below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
