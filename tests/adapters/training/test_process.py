"""The trainer's process: events, warmth, cancelling, and every way to die."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from adapters import base_model
from adapters.store import AdapterStore, read_manifest
from adapters.training.lifeline import ROOT
from adapters.training.process import TrainingChild
from adapters.training.spec import Spec
from tests.adapters.training.conftest import make_posts

ENDLESS = 100  # epochs: minutes of work
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def spec(recipe, tmp_path):
    posts = tuple(make_posts(6, words=900))
    return Spec(posts=posts, recipe=replace(recipe, epochs=1), voice="Ada", out=tmp_path / "out", manifest={"job": 7})


@pytest.fixture
def endless(spec):
    return replace(spec, recipe=replace(spec.recipe, epochs=ENDLESS))


@pytest.fixture
def start(tiny_folder, tmp_path):
    """Starts children that do not outlive the test."""
    with contextlib.ExitStack() as stack:

        def make(**options):
            options["environment"] = {**ONE_THREAD, **options.get("environment", {})}
            child = TrainingChild(base_model=str(tiny_folder), models=tmp_path, device="cpu", **options)
            stack.callback(child.close, timeout=2)
            return child

        yield make


@pytest.fixture(scope="module")
def warm(tiny_folder, tmp_path_factory):
    """A child that several tests share."""
    models = tmp_path_factory.mktemp("models")
    child = TrainingChild(base_model=str(tiny_folder), models=models, device="cpu", jobs=2, environment=ONE_THREAD)
    yield child
    child.close()


def heard(child, job, spec, react=lambda event: None):
    events = []
    for event in child.train(job, spec):
        if event is not None:
            events.append(event)
            react(event)
    return events


def kinds(events):
    return [event["kind"] for event in events]


def gone(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_a_job_ends_in_an_adapter_that_the_store_takes(warm, spec, tiny_folder, tmp_path):
    events = heard(warm, "a", spec)

    assert kinds(events)[-1] == "saved"
    assert [kind for kind in kinds(events) if kind not in ("loading", "step", "evaluation")] == [
        *("prepared", "baseline", "assessing", "saved")
    ]
    assert {event["job"] for event in events} == {"a"}
    saved = events[-1]
    assert Path(saved["folder"]) == spec.out
    assert saved["manifest"] == read_manifest(spec.out)
    assert saved["manifest"]["base_model"]["digest"] == base_model.find(str(tiny_folder), tmp_path).digest
    assert (saved["manifest"]["voice"], saved["manifest"]["job"]) == ("Ada", 7)
    assert saved["bits_per_byte"] < saved["base_bits_per_byte"]
    assert len(AdapterStore(tmp_path / "store").put(spec.out)) == 64


def test_the_next_job_finds_the_base_model_loaded(warm, spec):
    heard(warm, "b", spec)
    pid = warm.pid

    assert "loading" not in kinds(heard(warm, "c", spec))
    assert warm.pid == pid
    assert warm.rss > 50_000_000


def test_a_job_gives_the_same_weights_in_a_warm_process(warm, spec):
    heard(warm, "d", replace(spec, out=spec.out / "first"))
    heard(warm, "e", replace(spec, out=spec.out / "second"))

    first, second = ((spec.out / name / "adapter_model.safetensors").read_bytes() for name in ("first", "second"))
    assert first == second


def test_the_caller_is_never_left_waiting_for_long(warm, endless):
    gaps, last = [], time.monotonic()
    for event in warm.train("f", endless):
        gaps.append(time.monotonic() - last)
        if event is not None and event.get("step") == 3:
            warm.cancel("f")
        last = time.monotonic()

    assert max(gaps) < 1.5


def test_a_cancelled_job_says_how_far_it_came_and_the_next_one_runs(warm, spec, endless):
    events = heard(warm, "g", endless, lambda event: event.get("step") == 2 and warm.cancel("g"))

    assert kinds(events)[-1] == "cancelled"
    assert events[-1]["step"] >= 2
    assert not endless.out.exists()
    assert kinds(heard(warm, "h", spec))[-1] == "saved"


def test_a_job_that_nobody_listens_to_any_more_is_cancelled(warm, spec, endless):
    for event in warm.train("i", endless):
        if event is not None and event["kind"] == "step":
            break

    events = heard(warm, "j", spec)
    assert kinds(events)[-1] == "saved"
    assert {event["job"] for event in events} == {"j"}


def test_cancelling_what_has_ended_is_harmless(warm, spec):
    heard(warm, "k", spec)
    warm.cancel("k")

    assert kinds(heard(warm, "l", spec))[-1] == "saved"


def test_two_jobs_learn_at_once_and_each_gets_the_voice_that_it_would_get_alone(warm, spec, endless):
    alone = heard(warm, "alone", replace(spec, out=spec.out / "alone"))[-1]
    long = warm.train("long", endless)
    while (event := next(long)) is None or event["kind"] != "step":
        pass
    together = heard(warm, "together", replace(spec, out=spec.out / "together"))[-1]
    assert together["kind"] == "saved"
    meanwhile = next(event for event in long if event is not None)
    assert meanwhile["kind"] in {"step", "evaluation"}, "the other one goes on"
    long.close()
    # Rounding differs, and grows over the steps; how much is the trainer's own test.
    assert together["bits_per_byte"] == pytest.approx(alone["bits_per_byte"], rel=1e-3)


def test_too_little_writing_is_told_in_words(warm, spec):
    (failed,) = [event for event in heard(warm, "o", replace(spec, posts=spec.posts[:3])) if event["kind"] != "loading"]

    assert (failed["kind"], failed["error"], failed["infrastructure"]) == ("failed", "training.not_ready", False)
    assert failed["message"].startswith("Add at least 2 more posts")


def test_a_wrong_recipe_is_the_callers_mistake(warm, spec):
    values = spec.as_dict()
    values["recipe"]["rank"] = 900
    failed = heard(warm, "p", values)[-1]

    assert (failed["kind"], failed["error"], failed["infrastructure"]) == ("failed", "training.bad_input", False)
    assert "rank: 900" in failed["message"]


def test_a_folder_that_cannot_be_written_is_not_the_authors_mistake(warm, spec, tmp_path):
    (tmp_path / "file").write_text("in the way")
    failed = heard(warm, "q", replace(spec, out=tmp_path / "file" / "out"))[-1]

    assert (failed["kind"], failed["error"], failed["infrastructure"]) == ("failed", "training.disk", True)


def test_it_gives_way_to_everything_else(warm):
    assert psutil.Process(warm.ensure()).nice() == min(19, psutil.Process().nice() + 5)


def test_a_killed_process_is_reported_and_replaced(start, spec, endless):
    child = start()
    events = heard(
        child, "a", endless, lambda event: event["kind"] == "step" and os.kill(child.pid or 0, signal.SIGKILL)
    )

    failed = events[-1]
    assert (failed["kind"], failed["error"], failed["infrastructure"]) == ("failed", "training.child_died", True)
    assert "exit code -9" in failed["detail"]
    assert kinds(heard(child, "b", spec))[0] == "loading"


def test_what_the_process_said_last_is_reported(start, spec):
    child = start(environment={"PYTHONPATH": "", "PYTHONHOME": "/nowhere"})
    failed = heard(child, "a", spec)[-1]

    assert failed["error"] == "training.child_died"
    assert len(failed["detail"].splitlines()) > 1


def test_a_process_that_left_for_idleness_is_replaced(start, spec):
    child = start(idle_seconds=0.2)
    pid = child.ensure()

    assert gone(pid, 30)
    assert child.pid is None
    assert kinds(heard(child, "a", spec))[-1] == "saved"


def test_a_job_is_cancelled_while_the_base_model_loads(start, spec):
    child = start()
    events = heard(child, "a", spec, lambda event: event["kind"] == "loading" and child.cancel("a"))

    assert kinds(events) == ["loading", "cancelled"]
    assert events[-1]["step"] == 0


def test_a_base_model_that_is_not_there_is_the_operators_matter(tmp_path, spec):
    child = TrainingChild(base_model="nobody/nothing", models=tmp_path, device="cpu")
    failed = heard(child, "a", spec)[-1]
    child.close()

    assert (failed["error"], failed["infrastructure"]) == ("training.no_base_model", True)


def test_it_outlives_the_thread_that_started_it(start, endless):
    child = start()
    thread = threading.Thread(target=child.ensure)
    thread.start()
    thread.join()
    time.sleep(0.3)

    assert child.pid is not None


def test_it_dies_with_its_parent(tiny_folder, tmp_path):
    parent = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys, pathlib\n"
            "from adapters.training.process import TrainingChild\n"
            f"child = TrainingChild(base_model={str(tiny_folder)!r}, models=pathlib.Path({str(tmp_path)!r}))\n"
            "print(child.ensure(), flush=True)\n"
            "sys.stdin.read()",
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert psutil.pid_exists(pid)
    parent.kill()
    parent.wait()

    assert gone(pid)
