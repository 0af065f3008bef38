"""What a killed run left behind: stale pid files, servers and processes without a parent.
Knows how to recognise them for certain. Knows nothing of how they are started again."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import psutil

SECONDS_TO_STOP = 5
SECONDS_TO_SETTLE = 30


def clear_postgres(data: Path) -> None:
    """Make the data folder fit for a start: a server that still runs in it is adopted, dead ones are forgotten."""
    pid_file = data / "postmaster.pid"
    # One that is still starting or stopping can be neither used nor replaced; neither takes long.
    end = time.monotonic() + SECONDS_TO_SETTLE
    while _is_postgres(_first_number(pid_file), data) and not _is_ready(pid_file) and time.monotonic() < end:
        time.sleep(0.1)
    if pid_file.exists() and not _is_postgres(_first_number(pid_file), data):
        pid_file.unlink()  # its number may belong to any other process by now
    handles = data / ".handle_pids.json"
    if handles.exists():
        # The wheel stops a server when its last user goes; a user that was killed would keep it running for ever.
        living = [pid for pid in json.loads(handles.read_text() or "[]") if psutil.pid_exists(pid)]
        handles.write_text(json.dumps(living if _is_postgres(_first_number(pid_file), data) else []))


def clear_redis(data: Path) -> None:
    """End a Valkey server that still runs in this folder: two of them would write the same files."""
    end([process for process in psutil.process_iter() if _is_valkey(process, data)])


def remember(record: Path, processes: dict[str, int]) -> None:
    """Note which processes run, by number and time of birth, for the start after a kill."""
    rows = [{"name": name, "pid": pid, "born": _born(pid)} for name, pid in processes.items()]
    record.parent.mkdir(parents=True, exist_ok=True)
    scratch = record.with_suffix(".new")
    scratch.write_text(json.dumps(rows))
    os.replace(scratch, record)


def clear_processes(record: Path) -> list[str]:
    """End what a killed run noted in `record` and still runs; returns the names."""
    if not record.exists():
        return []
    alive = {}
    for row in json.loads(record.read_text() or "[]"):
        if row["born"] is not None and row["born"] == _born(row["pid"]):
            alive[row["name"]] = psutil.Process(row["pid"])
    end([one for process in alive.values() for one in [process, *process.children(recursive=True)]])
    record.unlink()
    return list(alive)


def end(processes: list[psutil.Process]) -> None:
    """Ask the processes to stop, and kill those that do not."""
    for process in processes:
        _signal(process, kill=False)
    _, stubborn = psutil.wait_procs(processes, timeout=SECONDS_TO_STOP)
    for process in stubborn:
        _signal(process, kill=True)
    psutil.wait_procs(stubborn, timeout=SECONDS_TO_STOP)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()


def _born(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _is_ready(pid_file: Path) -> bool:
    try:
        return pid_file.read_text().splitlines()[7].strip() == "ready"
    except (FileNotFoundError, IndexError):
        return False


def _is_postgres(pid: int | None, data: Path) -> bool:
    try:
        return pid is not None and str(data.resolve()) in psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _is_valkey(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name().startswith("valkey") and Path(process.cwd()) == data.resolve()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
