"""What the scenarios make of what was measured."""

from __future__ import annotations

import pytest

from bench.driving import Measured
from bench.scenarios.loads import added, slowed
from bench.scenarios.peer import compare
from bench.scenarios.requests import soon


def test_a_first_token_that_never_came_counts_as_waiting_until_the_end():
    measured = Measured(first={"0": 1.0, "1": 6.0, "2": 6.1}, unserved={"3": 9.0})
    fields = soon(measured, 4)
    assert fields["within_6_s"] == 0.5
    assert fields["first_token_max_s"] == 9.0
    assert fields["first_token_p50_s"] == pytest.approx(6.05)
    assert fields["unserved"] == 1


def test_what_cold_adds_is_the_median_difference_of_pairs():
    fields = added([(0.030, 0.020), (0.100, 0.021), (0.031, 0.019)])
    assert fields == {"first_token_cold_s": 0.031, "first_token_warm_s": 0.02, "cold_adds_ms": 12.0}


def test_how_much_slower_others_write_is_told_by_the_99th_percentile():
    fields = slowed([0.01] * 100, [0.01] * 90 + [0.02] * 10)
    assert fields["before_p99_s"] == 0.01
    assert fields["during_p99_s"] == fields["during_max_s"] == 0.02
    assert fields["p99_ratio"] == 2.0


def test_rows_with_voices_are_compared_with_the_faster_mode_of_the_peer():
    def row(scenario: str, voices: int, speed: float) -> dict[str, object]:
        return {"scenario": scenario, "voices": voices, "output_tokens_per_s": speed}

    rows = [row("table", 0, 900.0), row("table", 8, 800.0), row("peer", 32, 40.0), row("peer", 32, 20.0)]
    compare(rows)
    assert rows[1]["times_peft"] == 20.0
    assert all("times_peft" not in rows[i] for i in (0, 2, 3))
