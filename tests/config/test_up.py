"""`manage.py up`: the whole site, started, killed, started again."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def surroundings(tmp_path_factory):
    """Data and ports of a site of its own, not those of this test run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    return kept | {"IDIOLECT_VAR": str(tmp_path_factory.mktemp("var")), "PORT": str(port), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def up(surroundings, tmp_path, eventually):
    started = []

    def start(ready="is loaded"):
        log = tmp_path / f"up-{len(started)}.log"
        with log.open("wb") as stream:
            site = subprocess.Popen(
                [sys.executable, "manage.py", "up"], cwd=ROOT, env=surroundings, stdout=stream, stderr=subprocess.STDOUT
            )
        started.append((site, log))
        eventually(lambda: ready in log.read_text() or site.poll() is not None, seconds=180)
        assert site.poll() is None, log.read_text()
        return site

    yield start
    for site, log in started:
        if site.poll() is None:
            site.terminate()
            site.wait(timeout=60)
        print(log.read_text())


def shell(surroundings, code):
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "--command", code],
        cwd=ROOT, env=surroundings, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.model
def test_a_site_that_is_killed_leaves_no_process_and_loses_nothing(up, base_model, surroundings, eventually, alive):
    site = up()
    address = f"http://localhost:{surroundings['PORT']}"
    assert httpx.get(f"{address}/accounts/login/").status_code == 200
    shell(surroundings, "from accounts.models import User; User.objects.create_user('ada@example.org', 'a quiet word')")
    processes = {child.pid: child.name() for child in psutil.Process(site.pid).children(recursive=True)}
    assert len(processes) >= 7, processes

    site.kill()
    site.wait()
    eventually(lambda: not [name for pid, name in processes.items() if alive(pid)], seconds=30)

    site = up(ready="is served at")
    assert httpx.get(f"{address}/accounts/login/").status_code == 200
    assert shell(surroundings, "from accounts.models import User; print(User.objects.get())") == "ada@example.org"
    processes = [child.pid for child in psutil.Process(site.pid).children(recursive=True)]
    site.send_signal(signal.SIGINT)
    assert site.wait(timeout=60) == 0
    assert not [pid for pid in processes if alive(pid)]


def refused(surroundings):
    done = subprocess.run(
        [sys.executable, "manage.py", "up"], cwd=ROOT, env=surroundings, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_site_with_the_same_data_is_refused_and_told_of_the_first(surroundings):
    lock = Path(surroundings["IDIOLECT_VAR"]) / "run" / "up.lock"
    lock.parent.mkdir()
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write("process 1234, http://localhost:8000")
        stream.flush()
        said = refused(surroundings)
    assert "already runs" in said
    assert "process 1234, http://localhost:8000" in said
    assert "IDIOLECT_VAR=" in said


def test_a_port_that_is_taken_is_told_with_the_way_out(surroundings):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", int(surroundings["PORT"])))
        listener.listen()
        assert f"Port {surroundings['PORT']} is in use" in refused(surroundings)


def test_a_path_with_a_space_is_told_with_the_way_out(surroundings, tmp_path):
    said = refused(surroundings | {"IDIOLECT_VAR": str(tmp_path / "my data")})
    assert "has a space in it" in said
    assert "DATABASE_URL" in said
