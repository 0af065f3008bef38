"""The trainer's process: takes jobs as JSON lines on stdin, tells what happens as JSON lines on stdout.
Knows when jobs join, leave and are cancelled. Knows nothing of what a step is, Celery, records or the store."""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TextIO

from adapters import base_model
from adapters.training.job import Job

# PyTorch and transformers are imported by the first job: a cancel or an exit is heard from the first moment.

NICENESS: Final = 5
SECONDS_TO_LEAVE: Final = 3.0


class Workshop(Protocol):
    """Where steps are made (see `adapters.training.workshop`)."""

    @property
    def busy(self) -> bool: ...
    def take(self, job: Job, leaving: Callable[[], bool]) -> None: ...
    def step(self) -> None: ...


OpenWorkshop = Callable[[argparse.Namespace], Workshop]


class _Child:
    def __init__(self, options: argparse.Namespace, open_workshop: OpenWorkshop, lines: TextIO) -> None:
        self.options = options
        self.open_workshop = open_workshop
        self.lines = lines
        self.lock = threading.Lock()
        self.waiting: queue.Queue[Job | None] = queue.Queue()
        self.jobs: dict[str, Job] = {}
        self.leaving = threading.Event()
        self.workshop: Workshop | None = None

    def listen(self, commands: TextIO) -> None:
        """Until stdin ends, which it does when the parent dies."""
        for line in commands:
            command = json.loads(line)
            if command["op"] == "train":
                job = Job(command["job"], command["spec"], self.lines, self.lock)
                self.jobs[job.id] = job
                self.waiting.put(job)
            elif command["op"] == "cancel" and (cancelled := self.jobs.get(command["job"])):
                cancelled.cancel()
            elif command["op"] == "exit":
                break
        self.leaving.set()
        self.waiting.put(None)
        # Whatever the main thread is in the middle of, it is not worth outliving the parent for.
        threading.Event().wait(SECONDS_TO_LEAVE)
        os._exit(0)

    def work(self) -> None:
        """Until told to leave, or idle for too long. Between two steps jobs join and leave."""
        while not self.leaving.is_set() or (self.workshop and self.workshop.busy):
            try:
                self._admit()
                if self.workshop and self.workshop.busy:
                    self.workshop.step()
                    self._forget_ended()
            except queue.Empty:
                return
            except BrokenPipeError:
                return
            except Exception as error:  # noqa: BLE001 - the process boundary
                self._give_up(error)
                return

    def _admit(self) -> None:
        """Take jobs while there are places; with nothing to do, wait for one. Raises queue.Empty when none comes."""
        while len(self._in_training()) < self.options.jobs:
            idle = not (self.workshop and self.workshop.busy)
            try:
                job = self.waiting.get(block=idle, timeout=self.options.idle_seconds if idle else None)
            except queue.Empty:
                if idle:
                    raise
                return
            if job is None:
                return
            if not job.ended:
                self._opened(job).take(job, self.leaving.is_set)
            self._forget_ended()

    def _opened(self, job: Job) -> Workshop:
        if self.workshop is None:
            job.tell("loading", base_model=self.options.base_model)
            self.workshop = self.open_workshop(self.options)
        return self.workshop

    def _in_training(self) -> list[Job]:
        return [job for job in list(self.jobs.values()) if job.in_training and not job.ended]

    def _forget_ended(self) -> None:
        ended = [job.id for job in list(self.jobs.values()) if job.ended]
        for id in ended:
            del self.jobs[id]
        if ended and not self.jobs:
            _give_memory_back()

    def _give_up(self, error: Exception) -> None:
        """No single job's fault: whoever has heard anything is told. This process is not used again; its parent gives
        the jobs that have heard nothing to the next one."""
        for job in list(self.jobs.values()):
            if job.told:
                job.fail(error)


def open_workshop(options: argparse.Namespace) -> Workshop:
    """Load the base model. Raises LookupError when it is not there."""
    base_model.find(options.base_model, options.models)  # before the imports, which take seconds
    from adapters.training.workshop import Options
    from adapters.training.workshop import Workshop as Loaded

    return Loaded(
        Options(base_model=options.base_model, models=options.models, device=options.device, dtype=options.dtype)
    )


def _give_memory_back() -> None:
    # Activations of a job are gigabytes; the process may be idle for a long time now.
    gc.collect()
    if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def _die_with_parent() -> None:
    # A stopped stdin says so too, but not while the only thread that hears it waits for a long library call.
    if sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)


def _own_stdout() -> TextIO:
    # A print() in any library would break the protocol: whatever else goes to stdout ends up on stderr.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return lines


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.training.child", description=__doc__)
    parser.add_argument("--base-model", required=True, help="name of the base model")
    parser.add_argument("--models", required=True, type=Path, help="folder of base models")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, or nf4 on a GPU")
    parser.add_argument("--jobs", type=int, default=1, help="so many in training at once; the others wait")
    parser.add_argument("--idle-seconds", type=float, default=600, help="leave after so long without a job")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, open_workshop: OpenWorkshop = open_workshop) -> None:
    """Serve jobs until stdin closes."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    os.nice(NICENESS)  # training may take all night, a page may not
    child = _Child(_options(arguments), open_workshop, _own_stdout())
    threading.Thread(target=child.listen, args=(sys.stdin,), daemon=True).start()
    child.work()


if __name__ == "__main__":
    main()
