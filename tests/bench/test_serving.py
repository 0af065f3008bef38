"""The serving benchmark from its command line, on the tiny shape: what it writes, not how fast it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.serving import main

PROMISED = {
    "engine",
    "scenario",
    "shape",
    "rank",
    "modules",
    "voices",
    "requests",
    "rate",
    "output_tokens_per_s",
    "first_token_p50_s",
    "first_token_p99_s",
    "between_tokens_p50_s",
    "between_tokens_p99_s",
    "floor_share",
    "peak_gib",
}
TINY = ["--shape", "tiny", "--device", "cpu", "--quick", "--shortest", "4", "--longest", "16", "--requests", "12"]
PEER = """
import json, os, sys
what, arguments = sys.argv[1], json.loads(sys.argv[2])
assert what == "generate" and os.getcwd() == os.environ["PYTHONPATH"]
speed = {"swap": 4.0, "mixed": 2.0}[arguments["mode"]]
print("a line of something else")
print(json.dumps({"device": "cpu", "requests": 6, "elapsed_s": 1.5, "output_tokens_per_s": speed}))
"""


def rows_of(tmp_path: Path, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    assert main([*TINY, "--results", str(tmp_path), *arguments]) == status
    (file,) = tmp_path.glob("*.json")
    rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"]
    assert all(row.keys() >= PROMISED for row in rows)
    return rows


def test_the_table_has_a_row_for_each_number_of_voices(tmp_path, capsys):
    roof = ["--bandwidth", "1e12", "--flops", "1e15"]
    rows = rows_of(tmp_path, "--voices", "0", "3", *roof)
    assert [row["voices"] for row in rows] == [0, 3]
    for row in rows:
        assert row["finished"] == row["requests"] == 12
        assert row["output_tokens_per_s"] == pytest.approx(row["output_tokens"] / row["seconds"], rel=0.01)
        assert 0 <= row["floor_share"] <= row["larger_floor_share"] <= 1
        assert row["first_token_p50_s"] <= row["first_token_p99_s"]
    assert rows[0]["output_tokens"] == rows[1]["output_tokens"]
    printed = capsys.readouterr().out
    assert "table tiny: engine idiolect, voices 3" in printed
    assert printed.index("table tiny") < printed.index("tokens/s  ")


def test_a_row_can_be_stopped_early(tmp_path):
    (row,) = rows_of(tmp_path, "--voices", "2", "--requests", "4000", "--seconds", "0.3")
    assert row["finished"] < 4000
    assert row["floor_share"] is None


def test_the_highest_rate_is_told_at_which_first_tokens_come_in_time(tmp_path):
    rows = rows_of(tmp_path, "--scenario", "rate", "--rates", "4", "8", "--rate-voices", "5")
    assert [row["rate"] for row in rows] == [4, 8]
    assert [row["requests"] for row in rows] == [6, 12]
    in_time: list[float] = []
    for row in rows:
        in_time += [row["rate"]] if row["within_6_s"] >= 0.99 else []
        assert row["highest_rate_within_6_s"] == max(in_time, default=None)
        assert row["first_token_p99_s"] <= row["first_token_max_s"]
        assert row["voices"] == 5


def test_adapters_of_mixed_ranks_are_all_held_in_little_more_than_their_own_bytes(tmp_path):
    (row,) = rows_of(tmp_path, "--scenario", "ranks")
    assert row["rank"] == [8, 16, 32, 64]
    assert row["resident"] == row["voices"]
    assert row["all_fit_into_ratio"] == 1.05
    assert row["device_ratio"] == pytest.approx(row["device_bytes"] / row["adapters_bytes"], abs=1e-4)
    assert 1 <= row["device_ratio"] <= 1.05


def test_cold_adapters_are_on_the_disk_of_a_cpu(tmp_path):
    (row,) = rows_of(tmp_path, "--scenario", "cold")
    assert row["cold_tier"] == "disk"
    assert row["first_token_cold_s"] > 0 < row["first_token_warm_s"]
    assert row["cold_adds_ms"] == pytest.approx(
        1000 * (row["first_token_cold_s"] - row["first_token_warm_s"]), abs=1000 * row["first_token_cold_s"]
    )


def test_others_write_on_while_cold_adapters_are_loaded(tmp_path):
    (row,) = rows_of(tmp_path, "--scenario", "loading")
    assert row["cold_tier"] == "disk"
    assert row["all_wrote_throughout"]
    assert row["loaded"] == 4
    assert row["p99_ratio"] == pytest.approx(row["during_p99_s"] / row["before_p99_s"], rel=0.01)


def test_twice_as_many_voices_get_the_same_memory(tmp_path):
    fitting, crowded = rows_of(tmp_path, "--scenario", "slots", "--slots-rate", "40")
    assert (fitting["voices"], crowded["voices"]) == (2, 4)
    assert fitting["memory_bytes"] == crowded["memory_bytes"]
    assert fitting["limits"] == crowded["limits"]
    assert fitting["most_resident"] <= 2
    ratio = crowded["first_token_p50_s"] / fitting["first_token_p50_s"]
    assert crowded["first_token_p50_ratio"] == pytest.approx(ratio, rel=0.01)


def test_the_peer_runs_in_the_same_call_and_the_table_tells_how_many_times_faster(tmp_path, capsys):
    script = tmp_path / "peft_script.py"
    script.write_text(PEER)
    ours, swap, mixed = rows_of(tmp_path, "--voices", "3", "--scenario", "table", "peer", "--peer", str(script))
    assert (swap["engine"], swap["mode"], swap["output_tokens_per_s"]) == ("peft", "swap", 4.0)
    assert (mixed["mode"], mixed["finished"]) == ("mixed", 6)
    assert ours["times_peft"] == pytest.approx(ours["output_tokens_per_s"] / 4, abs=0.06)
    assert "x PEFT" in capsys.readouterr().out


def test_a_peer_that_fails_leaves_the_other_rows(tmp_path, capsys):
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit(3)")
    (row,) = rows_of(tmp_path, "--voices", "0", "--scenario", "peer", "table", "--peer", str(script), status=1)
    assert row["scenario"] == "table"
    assert "broken.py ended with status 3 when it was asked for swap." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scenario", "peer"], "The scenario peer needs --peer and the path of a script."),
        (["--peer", "nowhere.py"], "There is no file nowhere.py to run as the peer."),
        (["--longest", "3"], "shortest must be at least 1 and below longest, not 4 and 3"),
        (["--rates", "0"], "rate and rates must be positive"),
        (["--bandwidth", "1e12"], "--bandwidth and --flops are needed together"),
        (["--max-running", "0"], "The engine cannot be set up like this: max_running must be at least 1, not 0."),
    ],
)
def test_what_cannot_be_measured_is_refused_in_a_sentence(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit):
        main([*TINY, "--results", str(tmp_path), *arguments])
    assert said in capsys.readouterr().err
