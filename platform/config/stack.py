"""The processes that make up the site on one machine, and the addresses they get.
Knows command lines and ports. Knows nothing of how processes are watched (see `config.supervisor`)."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from urllib.parse import urlsplit

from config.supervisor import Command

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
DEFAULT_PORT = 8000
DEFAULT_INFERENCE_PORT = 8100
TRIES = 20


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the site listens, and where it is reached."""

    host: str
    """The interface that the web server listens on."""
    port: int
    """Its port."""
    site_url: str
    """What people type; behind a proxy this is the proxy's."""
    inference_url: str
    """Where the site asks for text."""
    own_inference: bool
    """Whether an inference worker is started here, or one that runs elsewhere is used."""


def addresses(environment: Mapping[str, str], *, any_port: bool = False) -> Addresses:
    """Addresses from PORT, IDIOLECT_HOST, IDIOLECT_SITE_URL and IDIOLECT_INFERENCE_URL, with defaults for one machine.

    Raises ValueError when the port is taken; with `any_port` and no port asked for, the next free one is used.
    """
    host = environment.get("IDIOLECT_HOST", "127.0.0.1")
    site = urlsplit(environment.get("IDIOLECT_SITE_URL", ""))
    wanted = _port("PORT", environment.get("PORT", "")) or (site.port if site.hostname in LOOPBACK else None)
    if wanted or not any_port:
        port = wanted or DEFAULT_PORT
        if not _free(host, port):
            raise ValueError(
                f"Port {port} is in use by another program, or not allowed to you. Stop that program, or choose "
                f"another port: PORT={port + 1} make up"
            )
    else:
        port = _next_free(host, DEFAULT_PORT)

    inference = environment.get("IDIOLECT_INFERENCE_URL", "").rstrip("/")
    own = not inference
    if own:
        inference = f"http://127.0.0.1:{_next_free('127.0.0.1', DEFAULT_INFERENCE_PORT)}"
    else:
        named = urlsplit(inference)
        own = named.hostname in LOOPBACK and _free(named.hostname, named.port or 80)
    return Addresses(
        host=host,
        port=port,
        site_url=site.geturl().rstrip("/") or f"http://localhost:{port}",
        inference_url=inference,
        own_inference=own,
    )


def servers(var: Path) -> Command:
    """Embedded Postgres and Redis: first to start, last to stop."""
    argv = (sys.executable, "-m", "config.embedded", str(var))
    # Not killed at once with the others: Postgres wants to write its checkpoint.
    return Command(name="servers", argv=argv, grace=30, outlives=True, orphan_signal=SIGTERM)


def manage(name: str, *arguments: str, **options: float) -> Command:
    """A management command under the name `name`."""
    return Command(name=name, argv=(sys.executable, "manage.py", *arguments), **options)


def site(where: Addresses) -> list[Command]:
    """Every long-running process besides the servers."""
    web = (
        *(sys.executable, "-m", "uvicorn", "config.asgi:application", "--lifespan", "off"),
        *("--host", where.host, "--port", str(where.port), "--no-server-header"),
        # Event streams never end by themselves; a page opens them again when the site is back.
        *("--log-level", "warning", "--no-access-log", "--timeout-graceful-shutdown", "3"),
    )
    # Inside a container or on a rented machine root is all there is; the tasks run nobody's code but ours.
    hush = "ignore:You're running the worker with superuser"
    celery = (sys.executable, "-W", hush, "-m", "celery", "--app", "config", "--quiet")
    commands = [
        Command(name="web", argv=web),
        Command(name="imports", argv=(*celery, *worker("imports", concurrency=2))),
        # A job that outlasts this is taken up again at the next start.
        Command(name="training", argv=(*celery, *worker("training")), grace=8),
        Command(name="beat", argv=(*celery, "beat", "--loglevel", "warning")),
    ]
    if where.own_inference:
        commands.append(manage("inference", "serve_inference", "--", "--drain-seconds", "8"))
    return commands


def worker(queue: str, *, concurrency: int | None = None) -> tuple[str, ...]:
    """Arguments of the Celery worker of one queue; threads, because the work is done elsewhere or is waiting.

    Without `concurrency` it is as many as jobs are trained at once (see `config.settings`).
    """
    return (
        *("worker", "--queues", queue, "--hostname", f"{queue}@%h"),
        *("--pool", "threads", *(("--concurrency", str(concurrency)) if concurrency else ()), "--loglevel", "warning"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    )


def _port(name: str, text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise ValueError(f"{name} must be a port number from 1 to 65535, not {text!r}")
    return int(text)


def _next_free(host: str, first: int) -> int:
    for port in range(first, first + TRIES):
        if _free(host, port):
            return port
    raise ValueError(f"Ports {first} to {first + TRIES - 1} are all in use. Choose one that is free: PORT=9000 make up")


def _free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True
