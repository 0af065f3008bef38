"""Steps, rates and measurements that follow from the recipe alone."""

from dataclasses import replace
from itertools import chain

import pytest

from adapters.training.schedule import LOWEST_SHARE, Schedule


def test_every_epoch_reads_every_window_once_in_an_order_of_its_own(recipe):
    schedule = Schedule(7, recipe)
    batches = list(schedule.batches())

    assert len(batches) == schedule.steps == 8
    first, second = [*chain(*batches[:4])], [*chain(*batches[4:])]
    assert sorted(first) == sorted(second) == list(range(7))
    assert first != second


def test_the_order_is_the_seeds(recipe):
    assert list(Schedule(9, recipe).batches()) == list(Schedule(9, recipe).batches())
    assert list(Schedule(9, recipe).batches()) != list(Schedule(9, replace(recipe, seed=4)).batches())


def test_a_part_of_an_epoch_is_a_part_of_the_steps(recipe):
    schedule = Schedule(20, replace(recipe, epochs=1.5))

    assert schedule.steps == 15
    assert len(list(schedule.batches())) == 15


def test_the_rate_rises_to_the_recipes_and_falls_to_almost_nothing(recipe):
    schedule = Schedule(100, replace(recipe, learning_rate=1.0, warmup_ratio=0.1))
    rates = [schedule.learning_rate(step) for step in range(1, schedule.steps + 1)]

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] == pytest.approx(LOWEST_SHARE)


@pytest.mark.parametrize(("windows", "epochs", "an_epoch"), [(1, 1, 4), (2, 1, 4), (7, 2, 4), (100, 3, 4), (9, 0.5, 2)])
def test_the_last_step_is_always_measured(recipe, windows, epochs, an_epoch):
    schedule = Schedule(windows, replace(recipe, epochs=epochs, evaluations_an_epoch=an_epoch))

    assert schedule.evaluations[-1] == schedule.steps
    assert schedule.evaluations == sorted(set(schedule.evaluations))
    assert schedule.evaluations[0] >= 1


def test_as_many_measurements_an_epoch_as_asked(recipe):
    assert len(Schedule(80, replace(recipe, epochs=3, evaluations_an_epoch=4)).evaluations) == 12
