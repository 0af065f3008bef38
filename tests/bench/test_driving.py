"""Driving an engine whose every step takes a second, so that each figure is known beforehand."""

from __future__ import annotations

from typing import Any

import pytest

from bench.driving import Driver, Roof, percentile
from bench.workload import Job
from tests.bench.clockwork import IDLE_BYTES, REQUEST_BYTES, Clock, ClockworkEngine

ROOF = Roof(bandwidth=10_000.0, flops=1000.0, block_parameters=3, head_parameters=2)


def job(arrival: float = 0.0, prompt: int = 4, output: int = 3, voice: int = 0) -> Job:
    return Job(arrival=arrival, voice=voice, prompt=(1,) * prompt, output=output)


def driven(slow: dict[str | None, int] | None = None, **options: Any) -> tuple[Driver, ClockworkEngine]:
    clock = Clock()
    engine = ClockworkEngine(clock, slow)
    return Driver(engine, clock=clock, sleep=clock.sleep, **options), engine


def test_a_request_is_timed_from_its_arrival_and_from_token_to_token():
    driver, _ = driven()
    measured = driver.run([job(output=3)], [])
    assert list(measured.first.values()) == [1.0]
    assert measured.between == [1.0, 1.0]
    assert (measured.tokens, measured.finished, measured.seconds) == (3, 1, 3.0)


def test_requests_are_submitted_when_they_are_due():
    driver, engine = driven()
    measured = driver.run([job(arrival=10.5, output=1), job(arrival=0.0, output=2)], [])
    # The first is done after 2 s; then nothing happens until 10.5 s.
    assert measured.seconds == 11.5
    assert list(measured.first.values()) == [1.0, 1.0]
    assert [request.sampling.max_tokens for request in engine.submitted] == [2, 1]


def test_one_that_became_due_within_a_step_has_waited_since_then():
    driver, _ = driven()
    measured = driver.run([job(output=3), job(arrival=0.25, output=1)], [])
    assert sorted(measured.first.values()) == [1.0, 1.75]


def test_each_request_names_its_voices_adapter():
    driver, engine = driven()
    driver.run([job(voice=1), job(voice=0)], ["zero", "one"])
    assert [request.adapter for request in engine.submitted] == ["one", "zero"]


def test_a_run_that_is_stopped_tells_who_had_no_token_and_leaves_nothing_behind():
    driver, engine = driven(slow={"cold": 100})
    measured = driver.run([job(output=50), job(arrival=2.0, voice=1)], ["warm", "cold"], seconds=5.5)
    assert measured.seconds == 6.0
    assert list(measured.unserved.values()) == [4.0]
    assert measured.finished == 0
    assert not engine.has_work()


def test_a_cold_adapters_first_token_comes_later_by_its_loading():
    driver, _ = driven(slow={"voice": 4})
    cold, warm = driver.first_token(job(output=1), "voice"), driver.first_token(job(output=1), "voice")
    assert (cold, warm) == (5.0, 1.0)


def test_the_floor_of_a_step_is_the_larger_of_reading_and_multiplying():
    driver, _ = driven(roof=ROOF)
    measured = driver.run([job(prompt=100, output=3)], [])
    # Two steps with somebody still running behind them; after the last one nobody does.
    read = IDLE_BYTES + REQUEST_BYTES
    assert measured.floor_bytes_s == pytest.approx(2 * read / 10_000)
    prompt, token = 2 * (3 * 100 + 2 * 1) / 1000, 2 * (3 + 2) / 1000
    assert measured.floor_flops_s == pytest.approx(prompt + 2 * token)
    assert measured.floor_s == pytest.approx(prompt + read / 10_000 + token)
    fields = measured.fields(floors=True)
    assert fields["floor_share"] == pytest.approx(measured.floor_bytes_s / 3, abs=1e-3)
    assert fields["larger_floor_share"] == pytest.approx(measured.floor_s / 3, abs=1e-3)


def test_steps_that_only_wait_for_an_adapter_read_nothing():
    driver, _ = driven(slow={"voice": 4}, roof=ROOF)
    measured = driver.run([job(output=2)], ["voice"])
    # Four steps of waiting, at the end of the last of which it runs; one with it running behind; one last.
    assert measured.floor_bytes_s == pytest.approx(2 * (IDLE_BYTES + REQUEST_BYTES) / 10_000)


def test_an_engine_that_runs_ahead_hands_out_a_step_later_what_it_has_read_for():
    driver, _ = driven(roof=ROOF, ahead=True)
    driver.submit(job(prompt=100, output=3), None)
    driver.step()
    assert driver.measured.floor_bytes_s == 0
    driver.step()
    assert driver.measured.floor_bytes_s == pytest.approx((IDLE_BYTES + REQUEST_BYTES) / 10_000)


def test_without_a_roof_there_are_no_shares():
    driver, _ = driven()
    fields = driver.run([job()], []).fields(floors=False)
    assert fields["floor_share"] is fields["flop_floor_share"] is fields["larger_floor_share"] is None


def test_the_percentile_of_nothing_is_nothing():
    assert percentile([], 99) is None
    assert percentile([1.0, 2.0, 3.0], 50) == 2.0
