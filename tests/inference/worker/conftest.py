"""Voices for the tiny model and clients of workers around it. Knows nothing of single tests."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientTimeout
from aiohttp.test_utils import TestClient, TestServer

from adapters.store import AdapterStore
from tests.inference import tiny
from tests.inference.tiny_worker import (
    AUTH,
    Client,
    Connect,
    is_ok,
    make_worker,
    until,
)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[AdapterStore, list[str]]:
    """A store with two good adapters."""
    root = tmp_path_factory.mktemp("voices")
    store = AdapterStore(root / "store")
    return store, [store.put(tiny.write_adapter(tiny.model(), root / str(seed), seed=seed)) for seed in (1, 2)]


@pytest.fixture
def store(voices: tuple[AdapterStore, list[str]], tmp_path: Path) -> AdapterStore:
    """The test's own copy."""
    return AdapterStore(Path(shutil.copytree(voices[0].root, tmp_path / "store")))


@pytest.fixture
async def connect(store: AdapterStore) -> AsyncIterator[Connect]:
    """`await connect(step_seconds=0.02, max_running=1)`: a client of a worker that is ready."""
    clients: list[Client] = []

    async def make(**options: Any) -> Client:
        server = TestServer(make_worker(store, **options).application())
        await server.start_server()
        client = TestClient(server, headers=AUTH, timeout=ClientTimeout(total=60))
        clients.append(client)
        await until(lambda: is_ok(client))
        return client

    yield make
    for client in clients:
        await client.close()
