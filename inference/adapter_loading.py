"""Adapters on demand: from the store into the engine when a call first names them.
Knows the store and the engine's thread. Knows nothing of HTTP beyond how to say no."""

from __future__ import annotations

import asyncio
import re

from adapters.store import AdapterCorrupt, AdapterMissing, AdapterStore
from inference.engine import AdapterRejected
from inference.engine_thread import EngineThread
from inference.worker_errors import REFUSED, bad_request, model_not_found

_DIGEST = re.compile(r"[0-9a-f]{64}")


class AdapterLoader:
    """Checks files beside the engine's thread, so that nobody's text waits for a disk."""

    def __init__(self, store: AdapterStore, thread: EngineThread) -> None:
        self._store = store
        self._thread = thread
        self._loading: dict[str, asyncio.Task[None]] = {}

    async def ensure(self, digest: str, *, param: str, weights: bool = False) -> None:
        """Make the adapter known to the engine, which reads its weights when somebody first writes with it; with
        `weights`, all of them have been checked and are on their way when this returns.

        Raises ApiError (404 or 400) naming `param`, the field that named it.
        """
        if not _DIGEST.fullmatch(digest):
            raise model_not_found(digest, param=param)
        assert self._thread.engine is not None
        if self._thread.engine.has_adapter(digest):
            return
        # However many ask for it at once, it is read once; and reading goes on when the first of them goes away.
        loading = self._loading.get(digest)
        if loading is None:
            loading = self._loading[digest] = asyncio.create_task(self._load(digest, weights=weights))
            loading.add_done_callback(lambda _: self._loading.pop(digest))
        try:
            await asyncio.shield(loading)
        except AdapterMissing as error:
            raise model_not_found(digest, param=param) from error
        except (AdapterCorrupt, AdapterRejected, FileNotFoundError) as error:
            raise bad_request(f"{error}.", param=param, code=REFUSED) from error

    async def _load(self, digest: str, *, weights: bool) -> None:
        engine = self._thread.engine
        assert engine is not None
        folder = await asyncio.to_thread(self._store.verify, digest)
        checked = await asyncio.to_thread(engine.check_adapter, digest, folder, weights=weights)
        await self._thread.call(lambda engine: engine.register(checked, load=weights))
