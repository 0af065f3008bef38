"""Serving speed of the engine, in this process: `python -m bench.serving --shape llama-8b --scenario table cold`.
Knows the command line, the progress and the tables. Knows nothing of how anything is measured: bench/scenarios/ does.

A floor is the least time that a step can take on this machine (`bench.driving.Roof`); `floor_share` is the share of the
run's time that reading weights, adapters and cache takes at least, `flop_floor_share` the same for multiplying, and
`larger_floor_share` counts in each step the larger of the two. 1.0 cannot be beaten.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from bench import machine
from bench.scenarios import SCENARIOS
from bench.scenarios.peer import PeerFailed, compare
from bench.stage import PEER_MODES, QUICK, Options, Sizes, Stage
from bench.workload import MODULES, SHAPES, STANDARD
from inference.engine import InvalidField

_LIMITS = ("max_running", "memory_bytes", "host_bytes", "prefill_tokens")

_COMMON = {"engine": "engine", "voices": "voices", "output_tokens_per_s": "tokens/s"}
_FIRST = {"first_token_p50_s": "first p50 s", "first_token_p99_s": "first p99 s"}
# Scenario -> field -> title.
_COLUMNS: dict[str, dict[str, str]] = {
    "table": {
        **_COMMON,
        "finished": "finished",
        **_FIRST,
        "between_tokens_p99_s": "between p99 s",
        "floor_share": "of bytes",
        "larger_floor_share": "of floor",
        "peak_gib": "peak GiB",
        "times_peft": "x PEFT",
    },
    "rate": {
        "rate": "requests/s",
        **_COMMON,
        **_FIRST,
        "first_token_max_s": "first max s",
        "within_6_s": "within 6 s",
        "highest_rate_within_6_s": "highest rate",
    },
    "ranks": {
        "voices": "voices",
        "resident": "on device",
        "adapters_bytes": "own bytes",
        "device_bytes": "device bytes",
        "device_ratio": "ratio",
        "all_fit_into_ratio": "all fit into",
    },
    "cold": {
        "cold_tier": "cold in",
        "adapter_bytes": "bytes each",
        "first_token_cold_s": "cold s",
        "first_token_warm_s": "warm s",
        "cold_adds_ms": "cold adds ms",
    },
    "loading": {
        "cold_tier": "cold in",
        "loaded": "loaded",
        "requests": "beside",
        "before_p99_s": "before p99 s",
        "during_p99_s": "during p99 s",
        "p99_ratio": "ratio",
        "loaded_first_token_p50_s": "loaded first s",
    },
    "slots": {
        "voices": "voices",
        "room": "room for",
        "most_resident": "most there",
        **_FIRST,
        "first_token_p50_ratio": "p50 ratio",
    },
    "peer": {**_COMMON, "mode": "mode", "finished": "finished", "seconds": "seconds"},
}


def run(options: Options, scenarios: Sequence[str], results: machine.Results) -> bool:
    """All scenarios over one model, into the file row by row; False when the peer failed."""
    started = time.perf_counter()
    well = True
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(options, Path(folder))
        for name in scenarios:
            try:
                for row in SCENARIOS[name](stage):
                    results.rows.append(row)
                    compare(results.rows)
                    results.save()
                    print(f"[{time.perf_counter() - started:6.1f} s] {_line(row)}", flush=True)
            except PeerFailed as error:
                print(error, file=sys.stderr, flush=True)
                well = False
    return well


def _line(row: dict[str, Any]) -> str:
    told = [f"{title} {_shown(row[name])}" for name, title in _columns([row]).items()]
    return f"{row['scenario']} {row['shape']}: {', '.join(told)}"


def _print_tables(rows: Sequence[dict[str, Any]]) -> None:
    for name in dict.fromkeys(row["scenario"] for row in rows):
        own = [row for row in rows if row["scenario"] == name]
        columns = _columns(own)
        print(f"\n{name}")
        print("  ".join(f"{title:>13}" for title in columns.values()))
        for row in own:
            print("  ".join(f"{_shown(row.get(column)):>13}" for column in columns))


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Those that any of these rows of one scenario has."""
    columns = _COLUMNS[rows[0]["scenario"]]
    return {name: title for name, title in columns.items() if any(name in row for row in rows)}


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,}"
        if value != str(value)
        else value
    )


def _parser() -> argparse.ArgumentParser:
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description="How fast the engine serves voices.")
    add = parser.add_argument
    add("--scenario", nargs="+", choices=sorted(SCENARIOS), default=["table"], help="in this order, over one model")
    add("--shape", choices=sorted(SHAPES), default="llama-8b" if cuda else "smollm2-135m")
    add("--device", default="cuda" if cuda else "cpu")
    add("--dtype", choices=("float32", "bfloat16", "float16"), help="float32 on the CPU, bfloat16 on a GPU")
    add("--rank", type=int, help="the shape's usual one when not given, as with --modules and --voices")
    add("--modules", choices=sorted(MODULES))
    add("--voices", type=int, nargs="+", help="table: a row for each; 0 is the base alone")
    add("--requests", type=int, default=600, help="table: how many")
    add("--rate", type=float, help="table: requests a second; all at once when not given")
    add("--seconds", type=float, help="table: stop each row after this long and report what it has reached")
    add("--rates", type=float, nargs="+", default=[10.0], help="rate: requests a second, a row for each")
    add("--rate-voices", type=int, default=2000, help="rate: voices that they are for")
    add("--duration", type=float, help=f"rate: seconds of arrivals, {Sizes().duration:.0f} when not given")
    add("--slots-rate", type=float, default=20.0, help="slots: requests a second")
    add("--shortest", type=int, default=8, help="tokens of the shortest prompt and output")
    add("--longest", type=int, default=512, help="one more than tokens of the longest")
    add("--quick", action="store_true", help="a few of everything, to see that it runs")
    add("--seed", type=int, default=42)
    add("--bandwidth", type=float, help="bytes a second that the memory reaches, for the floor; known for some GPUs")
    add("--flops", type=float, help="operations a second that large products reach, for the floor; known for some GPUs")
    add("--peer", type=Path, help="peer: a script that generates with PEFT and prints JSON")
    add("--peer-modes", nargs="+", choices=PEER_MODES, default=PEER_MODES, help="peer: a row for each")
    add("--peer-voices", type=int, default=32, help="peer: its adapters")
    add("--peer-seconds", type=float, default=40.0, help="peer: begin no batch after that")
    add("--results", type=Path, default=machine.RESULTS / "serving", help="folder for the JSON file")
    for limit in _LIMITS:
        add(f"--{limit.replace('_', '-')}", type=int, help="of the engine, instead of what fits the scenario")
    return parser


def _options(given: argparse.Namespace, refuse: Any) -> Options:
    """What was asked for, checked; `refuse` ends the program with a sentence."""
    if given.device.startswith("cuda") and not torch.cuda.is_available():
        refuse("This machine has no GPU that PyTorch can use; ask for --device cpu.")
    if "peer" in given.scenario and given.peer is None:
        refuse("The scenario peer needs --peer and the path of a script.")
    if given.peer is not None and not given.peer.is_file():
        refuse(f"There is no file {given.peer} to run as the peer.")
    if (given.bandwidth is None) != (given.flops is None) and machine.roof(given.device) is None:
        refuse("--bandwidth and --flops are needed together, as nothing is known of this device.")
    rank, modules, voices = STANDARD[given.shape]
    sizes = QUICK if given.quick else Sizes()
    if given.duration is not None:
        sizes = Sizes(**{**vars(sizes), "duration": given.duration})
    own = ("shape", "device", "requests", "rate", "rate_voices", "slots_rate", "shortest", "longest", "seconds", "seed")
    other = ("bandwidth", "flops", "peer_voices", "peer_seconds")
    try:
        return Options(
            **{name: getattr(given, name) for name in (*own, *other)},
            dtype=given.dtype or ("bfloat16" if given.device.startswith("cuda") else "float32"),
            rank=given.rank or rank,
            modules=given.modules or modules,
            voices=tuple(given.voices if given.voices is not None else voices),
            rates=tuple(given.rates),
            peer_modes=tuple(given.peer_modes),
            peer=given.peer and given.peer.resolve(),
            limits={name: value for name in _LIMITS if (value := getattr(given, name)) is not None},
            sizes=sizes,
        )
    except ValueError as error:
        refuse(str(error))
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the file; the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    options = _options(given, parser.error)
    name = "-".join([options.shape, options.device.replace(":", ""), *dict.fromkeys(given.scenario)])
    results = machine.Results(given.results, name, options.seed)
    try:
        well = run(options, given.scenario, results)
    except InvalidField as error:
        parser.error(f"The engine cannot be set up like this: {error}.")
    finally:
        _print_tables(results.rows)
    print(results.file)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
