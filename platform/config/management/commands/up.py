"""`manage.py up`: the whole site on one machine, until Ctrl-C.
Knows the order of a start. Knows nothing of single processes (see `config.stack`) and of the demo's story."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from adapters import base_model
from config import embedded, leftovers, stack
from config.console import Console
from config.memory import PeakMemory
from config.supervisor import CommandFailed, StopRequested, Supervisor

RUN = settings.VAR / "run"
SECONDS_BETWEEN_SAMPLES = 2.0


class Command(BaseCommand):
    help = "Run the whole site on this machine: servers, web, workers and the inference worker, until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--demo", action="store_true", help="make demo authors, train one and show what it writes")

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        if not (settings.BASE_DIR / "static" / "dist" / "app.css").exists():
            raise CommandError("The pages' scripts and styles are not built. `make up` builds them first.")
        try:
            with _only_one() as lock:
                where = stack.addresses(os.environ, any_port=demo)
                lock.write(f"process {os.getpid()}, {where.site_url}")
                lock.flush()
                if not os.environ.get("DATABASE_URL"):
                    embedded.check_usable(settings.VAR / "postgres")
                code = _run(where, demo=demo)
        except ValueError as error:
            raise CommandError(str(error)) from error
        sys.exit(code)


def _run(where: stack.Addresses, *, demo: bool) -> int:
    commands = stack.site(where)
    console = Console(sys.stdout, ["servers", *(command.name for command in commands), "migrate", "static", "model"])
    for name in leftovers.clear_processes(RUN / "processes.json"):
        console.say(f"Ended {name}, left over from a run that was killed")
    memory = _MemoryFile(RUN / "memory.json") if demo else None
    supervisor = Supervisor(
        console=console,
        record=RUN / "processes.json",
        environment=_environment(where, quiet=demo),
        folder=settings.BASE_DIR,
        on_watch=memory,
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, supervisor.request_stop)
    try:
        began = time.monotonic()
        _start_servers(supervisor, console)
        _prepare(supervisor, console)
        for command in commands:
            supervisor.start(command)
        _wait_until_ready(supervisor, console, where, began)
        if demo:
            _show_demo(supervisor, console)
        while not (demo and os.environ.get("DEMO_EXIT")):
            supervisor.watch(0.2)
    except StopRequested:
        return 0
    except CommandFailed as failure:
        console.say(f"{failure}.")
        return 1
    finally:
        console.say("Stopping")
        supervisor.stop()
        console.say("Stopped; nothing is left running")
    return 0


def _start_servers(supervisor: Supervisor, console: Console) -> None:
    note = embedded.note_path(settings.VAR)
    note.unlink(missing_ok=True)
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return
    console.say("Starting Postgres and Redis")
    supervisor.start(stack.servers(settings.VAR))
    supervisor.wait(note.exists, seconds=120, what="Postgres and Redis did not start")
    urls = json.loads(note.read_text())
    supervisor.extend_environment(DATABASE_URL=urls["database_url"], REDIS_URL=urls["redis_url"])


def _prepare(supervisor: Supervisor, console: Console) -> None:
    console.say("Preparing database and pages")
    work = [
        stack.manage("migrate", "migrate", "--verbosity", "0"),
        stack.manage("static", "collectstatic", "--noinput", "--verbosity", "0"),
    ]
    if not (base_model.folder_of(settings.BASE_MODEL, settings.MODELS) / "config.json").exists():
        work.append(stack.manage("model", "fetch_base_model"))
    supervisor.run(*work)


def _wait_until_ready(supervisor: Supervisor, console: Console, where: stack.Addresses, began: float) -> None:
    host = "127.0.0.1" if where.host == "0.0.0.0" else where.host
    local = f"http://[{host}]:{where.port}" if ":" in host else f"http://{host}:{where.port}"
    supervisor.wait(lambda: _answers(f"{local}/healthz"), seconds=120, what="The web server did not answer")
    console.say(f"Idiolect is served at {where.site_url} after {time.monotonic() - began:.0f} s. Ctrl-C stops it.")
    if where.own_inference:
        # A large base model takes minutes from a slow disk; the site is usable meanwhile.
        supervisor.wait(
            lambda: _answers(f"{where.inference_url}/health"), seconds=1800, what="The base model was not loaded"
        )
        console.say(f"The base model {settings.BASE_MODEL} is loaded: drafts can be written.")
    else:
        console.say(f"Drafts are written by the server at {where.inference_url}.")


def _show_demo(supervisor: Supervisor, console: Console) -> None:
    try:
        supervisor.run(stack.manage("demo", "demo"), plain=True)
    except CommandFailed:
        if os.environ.get("DEMO_EXIT"):
            raise
        console.say("The demo did not end well, as said above. The site stays up; Ctrl-C stops it.")


def _environment(where: stack.Addresses, *, quiet: bool) -> dict[str, str]:
    environment = dict(os.environ)
    source_roots = f"{settings.BASE_DIR}{os.pathsep}{settings.BASE_DIR / 'platform'}"
    environment.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        PYTHONPATH=source_roots,
        PYTHONUNBUFFERED="1",
        IDIOLECT_VAR=str(settings.VAR),
        IDIOLECT_SITE_URL=where.site_url,
        IDIOLECT_INFERENCE_URL=where.inference_url,
    )
    # Trainer and engine share these cores. Threads that spin while they wait take them from those that have work:
    # with both busy on two cores, that makes each several times slower.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A writer and a trainer share the cores. Threads that spin while they wait take them from each other: measured on
    # two busy cores, a training step is four times and a token ten times as fast without.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if quiet:
        environment.setdefault("LOG_LEVEL", "WARNING")
    return environment


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def _only_one() -> Iterator[Any]:
    """Hold this folder's data for one site; the file says which one."""
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ValueError(
                f"Idiolect already runs with the data in {settings.VAR} ({lock.read()}). Stop it first with Ctrl-C, "
                "or give a second site data of its own: IDIOLECT_VAR=/another/folder make up"
            ) from None
        lock.truncate(0)
        yield lock


class _MemoryFile:
    """Samples the processes' memory now and then, for the demo's figures."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._peak = PeakMemory()
        self._next = 0.0

    def __call__(self, names: Mapping[int, str]) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + SECONDS_BETWEEN_SAMPLES
            self._peak.sample(names)
            scratch = self._path.with_suffix(".new")
            scratch.write_text(json.dumps(self._peak.figures()))
            os.replace(scratch, self._path)
