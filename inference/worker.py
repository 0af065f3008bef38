"""Inference worker: one engine behind OpenAI-shaped HTTP, run as `python -m inference.worker`.
Knows the command line, signals and how the base model is loaded. Knows nothing of single requests."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import copy
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from aiohttp import web
from transformers.utils import logging as transformers_logging

from adapters import base_model
from adapters.store import AdapterStore
from inference.engine import Engine, EngineConfig, InvalidField
from inference.layers import weights
from inference.worker_app import Loaded, OnLoad, WorkerApp
from inference.worker_metrics import OWN_PREFIX

log = logging.getLogger(__name__)

SECRET = "IDIOLECT_INFERENCE_SECRET"
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([KMGT])(i?)B|B)?")
_PREFIX = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


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
    """"auto" is bf16 on CUDA; on a CPU that multiplies bf16 it is that too, for the linear layers' weights alone, and
    fp32 on others. "int8" is for CPUs only."""
    drain_seconds: float
    """How long running requests may take to end after SIGTERM."""
    metrics_prefix: str
    """What the names of metrics begin with; "vllm:" is for dashboards made for vLLM."""
    limits: dict[str, Any]
    """Fields of EngineConfig that were given."""


def read_options(arguments: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m inference.worker", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8100)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16", "int8"), default="auto")
    parser.add_argument("--drain-seconds", type=float, default=30.0)
    parser.add_argument("--metrics-prefix", type=metrics_prefix, default=OWN_PREFIX)
    parser.add_argument("--memory-bytes", type=size, help="for key/value pages and adapters, such as 8GiB")
    parser.add_argument("--host-bytes", type=size, help="for adapters in front of a GPU, such as 4GiB")
    for name in ("max_running", "max_waiting", "prefill_tokens", "max_rank"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    given = vars(parser.parse_args(arguments))
    limits = [name for name in given if name in EngineConfig.__dataclass_fields__]
    chosen = {name: value for name in limits if (value := given.pop(name)) is not None}
    try:
        EngineConfig(base_digest="", **chosen)
    except InvalidField as error:
        parser.error(str(error))
    return Options(**given, limits=chosen)


def size(text: str) -> int:
    """Bytes: "512MiB" and "8 GB" as well as plain numbers. Raises ArgumentTypeError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 8GiB, 500MB or a number of bytes")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** (" KMGT".index(unit) if unit else 0))


def metrics_prefix(text: str) -> str:
    """Raises ArgumentTypeError for what no name in Prometheus can begin with."""
    if not _PREFIX.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot begin the name of a metric")
    return text


def load(options: Options, on_load: OnLoad) -> Loaded:
    """The base model on its device and an engine around it."""
    base = base_model.find(options.base_model, options.models)
    log.info("Loading %s", base.folder)
    transformers_logging.disable_progress_bar()  # it would fill the log
    eight_bits = options.dtype == "int8"
    dtype = "float32" if eight_bits else options.dtype
    model, tokenizer = base_model.load(base.folder, device=options.device, dtype=dtype)
    if eight_bits:
        log.info("Rounding the linear layers' weights to 8 bits; with --dtype float32 they stay as they are")
        weights.quantize(model)
    elif dtype == "auto" and model.device.type == "cpu" and weights.multiplies_bf16():
        log.info("Rounding the linear layers' weights to bfloat16; with --dtype float32 they stay as they are")
        weights.pack(model, torch.bfloat16)
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
        if not worker.crashed.is_set():
            # Still listening: who asks meanwhile is told when to come back.
            await worker.drain(drain_seconds)
        await site.stop()
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
        worker = WorkerApp(
            secret=secret,
            store=store,
            base_model=options.base_model,
            load=lambda on_load: load(options, on_load),
            metrics_prefix=options.metrics_prefix,
        )
        return await serve(worker, host=options.host, port=options.port, drain_seconds=options.drain_seconds)

    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run())
    return 130


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # Not sys.exit: a base model that is still loading on the engine's thread would be waited for, or crash on the way.
    os._exit(code)
