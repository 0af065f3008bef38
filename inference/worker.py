"""Inference worker: one engine behind OpenAI-shaped HTTP, run as `python -m inference.worker`.
Knows the command line, signals and how the base model is loaded. Knows nothing of single requests."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import copy
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from transformers.utils import logging as transformers_logging

from adapters import base_model
from adapters.store import AdapterStore
from inference.engine import Engine, EngineConfig, InvalidField
from inference.worker_app import Loaded, WorkerApp

log = logging.getLogger(__name__)

SECRET = "IDIOLECT_INFERENCE_SECRET"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line."""

    base_model: str
    """Name of the base model, which is also its name in the API."""
    models: Path
    """Folder of base models."""
    store: Path
    """Folder of the adapter store."""
    host: str
    port: int
    device: str
    """"auto" is CUDA where there is a GPU."""
    dtype: str
    """"auto" is bf16 on CUDA, else fp32."""
    drain_seconds: float
    """How long running requests may take to end after SIGTERM."""
    limits: dict[str, int]
    """Fields of EngineConfig that were given."""


def read_options(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m inference.worker", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--drain-seconds", type=float, default=30.0)
    limits = ("max_adapters", "max_running", "max_waiting", "prefill_tokens", "kv_tokens")
    for name in limits:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    given = vars(parser.parse_args(arguments))
    chosen = {name: value for name in limits if (value := given.pop(name)) is not None}
    try:
        EngineConfig(base_digest="", **chosen)
    except InvalidField as error:
        parser.error(str(error))
    return Options(**given, limits=chosen)


def load(options: Options, on_load: Callable[[float], None]) -> Loaded:
    """The base model on its device and an engine around it."""
    base = base_model.find(options.base_model, options.models)
    log.info("Loading %s", base.folder)
    transformers_logging.disable_progress_bar()  # it would fill the log
    model, tokenizer = base_model.load(base.folder, device=options.device, dtype=options.dtype)
    config = EngineConfig(base_digest=base.digest, **options.limits)
    engine = Engine(model, copy.deepcopy(tokenizer), config, on_load=on_load)
    log.info("Ready on %s in %s", model.device, model.dtype)
    return Loaded(base=base, engine=engine, tokenizer=tokenizer)


async def serve(worker: WorkerApp, *, host: str, port: int, drain_seconds: float) -> int:
    """Serve until SIGTERM or SIGINT, then let running requests end; the process's exit code.

    1 when the engine has died: whoever supervises this process starts another.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Cancelling a handler when its client goes away is what stops the engine from writing for nobody.
    runner = web.AppRunner(worker.application(), handler_cancellation=True, shutdown_timeout=1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        log.info("Listening on http://%s:%s", host, port)
        ends = [asyncio.create_task(event.wait()) for event in (stop, worker.crashed)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        log.info("Stopping")
        await site.stop()
        if not worker.crashed.is_set():
            await worker.drain(drain_seconds)
    finally:
        await runner.cleanup()
    return 1 if worker.crashed.is_set() else 0


def main(arguments: Sequence[str] | None = None) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    options = read_options(arguments)
    secret = os.environ.get(SECRET, "")
    if not secret:
        log.error("%s is empty: set it to a long random string, the same for the site and this worker", SECRET)
        return 2

    async def run() -> int:
        store = AdapterStore(options.store)
        limit = EngineConfig(base_digest="", **options.limits).max_adapters
        worker = WorkerApp(secret=secret, store=store, max_adapters=limit, load=lambda seen: load(options, seen))
        return await serve(worker, host=options.host, port=options.port, drain_seconds=options.drain_seconds)

    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run())
    return 130


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not sys.exit: a base model that is still loading on the engine's thread would be waited for, or crash on the way.
    os._exit(code)
