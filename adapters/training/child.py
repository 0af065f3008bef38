"""The trainer's process: takes jobs as JSON lines on stdin, tells what happens as JSON lines on stdout.
Knows the base model, which it keeps loaded between jobs. Knows nothing of Celery, records or the store."""

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
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TextIO

from adapters.training.job import Job

# PyTorch and transformers are imported by the first job: a cancel or an exit is heard from the first moment.

NICENESS: Final = 5
SECONDS_TO_LEAVE: Final = 3.0


class _Child:
    def __init__(self, options: argparse.Namespace, lines: TextIO) -> None:
        self.options = options
        self.lines = lines
        self.lock = threading.Lock()
        self.waiting: queue.Queue[Job | None] = queue.Queue()
        self.jobs: dict[str, Job] = {}
        self.leaving = threading.Event()
        self.base: Any = None
        self.model: Any = None
        self.tokenizer: Any = None

    def listen(self, commands: TextIO) -> None:
        """Until stdin ends, which it does when the parent dies."""
        for line in commands:
            command = json.loads(line)
            if command["op"] == "train":
                job = Job(command["job"], command["spec"], self.lines, self.lock)
                self.jobs[job.id] = job
                self.waiting.put(job)
            elif command["op"] == "cancel" and command["job"] in self.jobs:
                self.jobs[command["job"]].cancel()
            elif command["op"] == "exit":
                break
        self.leaving.set()
        self.waiting.put(None)
        # Whatever the main thread is in the middle of, it is not worth outliving the parent for.
        threading.Event().wait(SECONDS_TO_LEAVE)
        os._exit(0)

    def work(self) -> None:
        """Until told to leave, or idle for too long."""
        while not self.leaving.is_set():
            try:
                job = self.waiting.get(timeout=self.options.idle_seconds)
            except queue.Empty:
                return
            if job is None:
                return
            if not job.ended:
                self._run(job)
                _give_memory_back()
            del self.jobs[job.id]

    def _run(self, job: Job) -> None:
        try:
            self._train(job)
        except BrokenPipeError:
            self.leaving.set()
        except Exception as error:  # noqa: BLE001 - the process boundary: the parent is told, the child lives on
            traceback.print_exc(file=sys.stderr)
            _fail(job, error)

    def _train(self, job: Job) -> None:
        self._load(job)

        from adapters.training import dataset, manifest
        from adapters.training.recipe import readiness
        from adapters.training.spec import Spec
        from adapters.training.stopping import Stopped
        from adapters.training.trainer import train

        spec = Spec.from_dict(job.spec)
        data = dataset.build(spec.posts, self.tokenizer, spec.recipe)
        ready = readiness(len(data.train) + len(data.held_out), data.train_tokens + data.held_out_tokens)
        if not ready.enough:
            job.end("failed", error="training.not_ready", message=ready.message, infrastructure=False)
            return
        if not job.begin_training():
            return
        try:
            trained = train(
                self.model,
                self.tokenizer,
                data,
                spec.recipe,
                lambda event: job.tell(event.kind, **asdict(event)),
                lambda: job.stop.is_set() or self.leaving.is_set(),
                spec.out,
                base_name=self.base.name,
                sample_briefs=spec.sample_briefs,
            )
        except Stopped as stopped:
            job.end("cancelled", step=stopped.step)
            return
        about = manifest.build(
            base=self.base, voice=spec.voice, data=data, recipe=spec.recipe, trained=trained, extra=spec.manifest
        )
        manifest.write(about, spec.out)
        job.end(
            "saved",
            folder=str(trained.folder),
            bits_per_byte=trained.bits_per_byte,
            base_bits_per_byte=trained.base_bits_per_byte,
            rank=trained.rank,
            bytes=trained.bytes,
            manifest=about,
        )

    def _load(self, job: Job) -> None:
        if self.model is not None:
            return
        job.tell("loading", base_model=self.options.base_model)
        from transformers.utils import logging

        from adapters import base_model

        logging.disable_progress_bar()
        self.base = base_model.find(self.options.base_model, self.options.models)
        self.model, self.tokenizer = base_model.load(
            self.base.folder, device=self.options.device, dtype=self.options.dtype
        )


def _fail(job: Job, error: Exception) -> None:
    from adapters.training.failures import explain

    job.end("failed", **asdict(explain(error)))


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
    parser.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16")
    parser.add_argument("--idle-seconds", type=float, default=600, help="leave after so long without a job")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve jobs until stdin closes."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides what it means
    os.nice(NICENESS)  # training may take all night, a page may not
    child = _Child(_options(arguments), _own_stdout())
    threading.Thread(target=child.listen, args=(sys.stdin,), daemon=True).start()
    child.work()


if __name__ == "__main__":
    main()
