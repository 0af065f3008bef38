"""How long it will take."""

import pytest

from adapters.training.pace import RECENT, Pace


def test_remaining_steps_and_measurements_are_both_counted():
    pace = Pace()
    pace.step(2.0, 500)
    pace.evaluation(5.0)

    assert pace.left(steps=10, evaluations=3) == pytest.approx(35.0)
    assert pace.tokens_per_second == pytest.approx(250.0)


def test_one_interrupted_step_does_not_spoil_the_estimate():
    pace = Pace()
    for seconds in (2.0, 2.0, 90.0, 2.0):
        pace.step(seconds, 500)

    assert pace.left(steps=10, evaluations=0) == pytest.approx(20.0)


def test_a_machine_that_became_busy_is_followed():
    pace = Pace()
    for seconds in [1.0] * 50 + [3.0] * RECENT:
        pace.step(seconds, 500)

    assert pace.left(steps=10, evaluations=0) == pytest.approx(30.0)


def test_nothing_is_promised_before_anything_is_measured():
    assert Pace().left(steps=10, evaluations=2) == 0.0
