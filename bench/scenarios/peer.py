"""The scenario `peer`: PEFT's own generation on the same shapes, by a script that is not part of this repository.
Knows that script's arguments and what it prints. Knows nothing of engines."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from bench.stage import Options, Stage

_BATCH = 32
_REQUESTS = 64


class PeerFailed(RuntimeError):
    """The other script did not end well; its own words are on stderr."""


def peer(stage: Stage) -> Iterator[dict[str, Any]]:
    """A row for each of `peer_modes`. Runs beside the dummy model, while no engine holds memory. Raises PeerFailed."""
    if stage.options.cuda:
        gc.collect()
        torch.cuda.empty_cache()
    for mode in stage.options.peer_modes:
        yield _row(stage.options, mode)


def _row(options: Options, mode: str) -> dict[str, Any]:
    script = options.peer
    assert script is not None
    asked = {
        "shape": options.shape,
        "rank": options.rank,
        "n_adapters": options.peer_voices,
        "n": _REQUESTS,
        "mode": mode,
        "batch": _BATCH,
        "seconds": options.peer_seconds,
    }
    done = subprocess.run(
        [sys.executable, script.name, "generate", json.dumps(asked)],
        cwd=script.parent,
        env={**os.environ, "PYTHONPATH": str(script.parent)},
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise PeerFailed(f"{script.name} ended with status {done.returncode} when it was asked for {mode}.")
    said = json.loads(done.stdout.splitlines()[-1])
    return {
        "engine": "peft",
        "scenario": "peer",
        "shape": options.shape,
        "device": said["device"],
        "mode": mode,
        "rank": options.rank,
        "modules": "all",  # the only ones that the script has
        "voices": options.peer_voices,
        "requests": said["requests"],
        "rate": None,
        "finished": said["requests"],
        "seconds": round(said["elapsed_s"], 3),
        "output_tokens_per_s": round(said["output_tokens_per_s"], 1),
        "first_token_p50_s": None,
        "first_token_p99_s": None,
        "between_tokens_p50_s": None,
        "between_tokens_p99_s": None,
        "floor_share": None,
        "peak_gib": None,
    }


def compare(rows: Sequence[dict[str, Any]]) -> None:
    """Tell in each of the table's rows with voices how many times the peer's faster mode its tokens a second are."""
    speeds = [row["output_tokens_per_s"] for row in rows if row["scenario"] == "peer"]
    if speeds:
        for row in rows:
            if row["scenario"] == "table" and row["voices"]:
                row["times_peft"] = round(row["output_tokens_per_s"] / max(speeds), 1)
