"""Several jobs in one trainer's process: they join and leave between steps, and no end of one is another's."""

import contextlib
import json
import os
import signal
import threading
import time
from dataclasses import replace

import pytest

from adapters.training.process import TrainingChild
from adapters.training.spec import Spec
from tests.adapters.training.conftest import make_posts
from tests.adapters.training.napping import STEPS_A_CHECKPOINT


@pytest.fixture
def long(recipe, tmp_path):
    """Minutes of naps."""
    posts = tuple(make_posts(6, words=50))
    out, checkpoint = tmp_path / "out", tmp_path / "checkpoint"
    out.mkdir()
    return Spec(posts=posts, recipe=replace(recipe, epochs=100), voice="Ada", out=out, checkpoint=checkpoint)


@pytest.fixture
def short(long):
    return replace(long, recipe=replace(long.recipe, epochs=0.3), checkpoint=None)


@pytest.fixture
def start(tmp_path):
    """Starts children that do not outlive the test."""
    with contextlib.ExitStack() as stack:

        def make(jobs=4, silence_seconds=60, **environment):
            child = TrainingChild(
                base_model="naps",
                models=tmp_path,
                jobs=jobs,
                silence_seconds=silence_seconds,
                module="tests.adapters.training.napping",
                environment=environment,
            )
            stack.callback(child.close, timeout=2)
            return child

        yield make


class Listener:
    """A thread that trains a job, and what it hears."""

    def __init__(self, child, job, spec):
        self.child, self.job, self.events = child, job, []
        self._thread = threading.Thread(target=self._listen, args=(spec,), daemon=True)
        self._thread.start()

    def _listen(self, spec):
        self.events.extend(event for event in self.child.train(self.job, spec) if event is not None)

    @property
    def kinds(self):
        return [event["kind"] for event in self.events]

    @property
    def steps(self):
        return [event["step"] for event in self.events if event["kind"] == "step"]

    def wait_for_step(self, step, seconds=20):
        end = time.monotonic() + seconds
        while step not in self.steps:
            assert time.monotonic() < end, f"no step {step} of {self.job}: {self.kinds[-3:]}"
            time.sleep(0.01)
        return self

    def end(self):
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.events[-1]


def test_jobs_join_and_leave_while_another_is_in_training(start, long, short):
    child = start()
    first = Listener(child, "first", long).wait_for_step(2)
    joined_at = first.steps[-1]
    second, third = Listener(child, "second", short), Listener(child, "third", short)
    assert second.end()["kind"] == third.end()["kind"] == "saved"
    first.wait_for_step(joined_at + 5)
    for each in (first, second, third):
        assert {event["job"] for event in each.events} == {each.job}
    assert second.events[0]["kind"] == "prepared", "nobody loads the base model again"
    assert [event["step"] for event in second.events if event["kind"] == "step"] == [1, 2, 3]


def test_cancelling_one_does_not_disturb_the_others(start, long):
    child = start()
    first, second = Listener(child, "first", long), Listener(child, "second", replace(long, checkpoint=None))
    first.wait_for_step(3)
    second.wait_for_step(3)
    child.cancel("first")
    assert first.end()["kind"] == "cancelled"
    second.wait_for_step(second.steps[-1] + 5)
    assert second.steps == list(range(1, second.steps[-1] + 1))


def test_more_jobs_than_places_wait_for_one_to_leave(start, long, short):
    child = start(jobs=1)
    first = Listener(child, "first", long).wait_for_step(1)
    second = Listener(child, "second", short)
    first.wait_for_step(10)
    assert second.events == []
    child.cancel("first")
    assert second.end()["kind"] == "saved"


def test_a_waiting_job_is_cancelled_at_once(start, long, short):
    child = start(jobs=1)
    first = Listener(child, "first", long).wait_for_step(1)
    second = Listener(child, "second", short)
    first.wait_for_step(5)
    child.cancel("second")
    assert second.end() == {"job": "second", "kind": "cancelled", "step": 0}
    first.wait_for_step(first.steps[-1] + 3)


def test_the_death_of_the_process_ends_all_jobs_in_it(start, long):
    child = start()
    listeners = [Listener(child, name, replace(long, checkpoint=None)) for name in "abc"]
    for each in listeners:
        each.wait_for_step(1)
    os.kill(child.pid, signal.SIGKILL)
    for each in listeners:
        last = each.end()
        assert (last["job"], last["error"], last["infrastructure"]) == (each.job, "training.child_died", True)


def test_a_fault_that_is_no_jobs_own_is_told_to_everybody_and_a_new_process_takes_those_who_waited(start, long):
    child = start(jobs=2, NAP_CRASH_AT="3")
    inside = [Listener(child, name, replace(long, checkpoint=None)) for name in "ab"]
    for each in inside:
        each.wait_for_step(1)
    waiting = Listener(child, "c", replace(long, checkpoint=None))
    for each in inside:
        last = each.end()
        assert (last["error"], last["infrastructure"]) == ("training.crashed", True)
        assert "nobody's own" in last["detail"]
    waiting.wait_for_step(1)
    pids = {event["pid"] for each in [*inside, waiting] for event in each.events if event["kind"] == "prepared"}
    assert len(pids) == 2


def test_a_job_that_does_not_stop_is_left_behind_when_others_are_in_training(start, long):
    child = start(NAP_DEAF="Deaf")
    deaf = Listener(child, "deaf", replace(long, voice="Deaf", checkpoint=None)).wait_for_step(1)
    other = Listener(child, "other", replace(long, checkpoint=None)).wait_for_step(1)
    child.cancel("deaf")
    assert not child.abandon("deaf")
    other.wait_for_step(other.steps[-1] + 5)
    child.cancel("other")
    other.end()
    assert child.abandon("deaf")
    assert deaf.end()["error"] == "training.child_died"


def test_a_process_that_is_stuck_is_ended(start, long):
    child = start(silence_seconds=2, NAP_SECONDS="60")
    last = Listener(child, "first", long).end()
    assert (last["error"], last["infrastructure"]) == ("training.child_died", True)
    assert "exit code -9" in last["detail"]


def test_one_job_is_not_trained_twice_at_once(start, long):
    child = start()
    first = Listener(child, "first", long).wait_for_step(1)
    with pytest.raises(ValueError, match="'first' is in training already"):
        next(child.train("first", long))
    first.wait_for_step(first.steps[-1] + 3)


class TestSaving:
    def test_a_cancelled_job_goes_on_where_it_stopped(self, start, long):
        child = start()
        first = Listener(child, "first", long).wait_for_step(7)
        child.cancel("first")
        stopped_at = first.end()["step"]
        again = Listener(child, "again", long).wait_for_step(stopped_at + 1)
        assert again.events[1] == {"job": "again", "kind": "resumed", "step": stopped_at, "steps": 1000}
        assert again.steps[0] == stopped_at + 1

    def test_a_killed_process_costs_the_steps_since_the_last_checkpoint(self, start, long):
        child = start()
        first = Listener(child, "first", long).wait_for_step(STEPS_A_CHECKPOINT + 2)
        os.kill(child.pid, signal.SIGKILL)
        first.end()
        again = Listener(child, "again", long).wait_for_step(first.steps[-1] + 1)
        assert first.steps[-1] - STEPS_A_CHECKPOINT < again.steps[0] <= first.steps[-1] + 1
        assert again.steps[0] % STEPS_A_CHECKPOINT == 1

    def test_a_process_that_is_told_to_leave_saves_first(self, start, long):
        child = start()
        first = Listener(child, "first", long).wait_for_step(7)
        child.close()
        stopped_at = first.end()["step"]
        assert json.loads((long.checkpoint / "state").read_text()) == stopped_at >= 7
