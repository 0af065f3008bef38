"""Embedded Postgres and Redis, and the secrets that a checkout keeps."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from config import embedded, leftovers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def var(tmp_path_factory):
    # Under root the servers run as a user of their own, which must be able to reach the folder.
    return tmp_path_factory.mktemp("var")


@pytest.fixture
def start_servers(var, eventually):
    """Run the servers as the supervisor does: as a process of their own."""
    started = []

    def start():
        environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        environment["PYTHONPATH"] = str(ROOT / "platform")
        embedded.note_path(var).unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-m", "config.embedded", str(var)], env=environment)
        started.append(process)
        eventually(lambda: process.poll() is not None or embedded.note_path(var).exists(), seconds=60)
        assert process.poll() is None
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(timeout=30)
    # Only after a failed test is there anything left to stop.
    leftovers.clear_redis(var / "redis")
    pid_file = var / "postgres" / "postmaster.pid"
    if pid_file.exists():
        leftovers.end([psutil.Process(int(pid_file.read_text().split()[0]))])


def works(var):
    """Another process of the checkout looks them up, as settings do."""
    with psycopg.connect(embedded.database_url(var), connect_timeout=5) as connection:
        connection.execute("SELECT 1")
    return redis.from_url(embedded.redis_url(var)).ping()


def test_other_processes_find_the_servers_while_they_run(var, start_servers):
    servers = start_servers()
    assert works(var)
    servers.terminate()
    assert servers.wait(timeout=30) == 0
    assert not embedded.note_path(var).exists()
    assert not (var / "postgres" / "postmaster.pid").exists()


def test_strangers_need_the_password_of_redis(var, start_servers):
    start_servers()
    port = redis.from_url(embedded.redis_url(var)).get_connection_kwargs()["port"]
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()


def test_after_a_kill_the_next_start_goes_on_where_it_was(var, start_servers):
    first = start_servers()
    with psycopg.connect(embedded.database_url(var), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    queue = redis.from_url(embedded.redis_url(var))
    queue.rpush("queue", "message")
    where = embedded.redis_url(var)
    orphans = {child.pid for child in psutil.Process(first.pid).children(recursive=True)}
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert orphans, "Redis is a child and is left behind"

    second = start_servers()
    assert works(var)
    assert embedded.redis_url(var) == where, "a running site finds Redis where it was"
    with psycopg.connect(embedded.database_url(var)) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert redis.from_url(where).lrange("queue", 0, -1) == [b"message"]
    second.terminate()
    assert second.wait(timeout=30) == 0
    assert not (var / "postgres" / "postmaster.pid").exists(), "the adopted server is stopped with the others"


def test_a_pid_file_that_names_another_process_is_removed(tmp_path):
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}\n")
    (tmp_path / ".handle_pids.json").write_text(json.dumps([os.getpid()]))
    leftovers.clear_postgres(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()
    assert json.loads((tmp_path / ".handle_pids.json").read_text()) == []


def test_a_path_with_a_space_is_refused_with_the_way_out(tmp_path):
    with (
        pytest.raises(ValueError, match=r"has a space in it.*IDIOLECT_VAR.*DATABASE_URL"),
        embedded.postgres(tmp_path / "my data"),
    ):
        pass


def test_of_several_processes_that_need_a_secret_first_all_get_the_same(tmp_path):
    path = tmp_path / "new" / "secret"
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(embedded.kept_secret, [path] * 64))
    assert len(secrets) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]
