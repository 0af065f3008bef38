"""Engines for the tests of what stands in front of them, and the site in front of them, over real HTTP.
Knows uvicorn and scripted engines. Knows nothing of single tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from inference.gateway import Server
from tests.inference.scripted_engine import SECRET, ScriptedEngine, scripted_engine

if TYPE_CHECKING:
    from adapters.models import Version, Voice


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    with scripted_engine() as engine:
        yield engine


@pytest.fixture
def site_engine(engine: ScriptedEngine, settings: Any) -> ScriptedEngine:
    """The scripted engine as the one that the site uses."""
    settings.INFERENCE_URL, settings.INFERENCE_SECRET = engine.url, SECRET
    return engine


@pytest.fixture
def make_version(voice: Voice) -> Callable[..., Version]:
    def make(number: int = 1, *, status: str = "live", **fields: Any) -> Version:
        from adapters.models import Version

        unknown = {"base_model": "base", "base_digest": "b" * 64, "recipe": {}, "manifest": {}, "metrics": {}}
        given = {"voice": voice, "digest": f"{number:064x}", **unknown, **fields}
        return Version.objects.create(number=number, status=status, **given)

    return make


@pytest.fixture
def server(engine: ScriptedEngine, tmp_path: Path) -> Server:
    return Server(url=engine.url, secret=SECRET, adapters=tmp_path)


@pytest.fixture
def live_site(transactional_db: None) -> Iterator[str]:
    """The site as uvicorn serves it, in a thread, on the test's database."""
    from django.db import connections

    from config.asgi import application

    server = uvicorn.Server(uvicorn.Config(application, port=0, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    connections.close_all()
