"""What the tests of the site's processes share: a little site to stop and to kill.
Knows how to wait for things. Knows nothing of the real site's processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait for a condition; fail with its last value when it does not come."""

    def wait(condition: Callable[[], Any], seconds: float = 20) -> Any:
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {seconds} s in vain; the last value was {value!r}"
            time.sleep(0.05)
        return value

    return wait


@pytest.fixture
def alive() -> Callable[[int], bool]:
    def check(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return check


@pytest.fixture
def little_site(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a supervisor over processes given as `name=(code, options)`; whatever is left of it goes after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(**processes: tuple[str, dict[str, Any]]) -> subprocess.Popen[str]:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}", "FOLDER": str(tmp_path)}
        command = [sys.executable, "-m", "tests.config.little_site", str(tmp_path), json.dumps(processes)]
        site = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        started.append(site)
        return site

    yield start
    for site in started:
        if site.poll() is None:
            for process in psutil.Process(site.pid).children(recursive=True):
                process.kill()
            site.kill()
        site.communicate()
