"""The supervisor, seen from outside: it is told to stop, or it is killed, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys

import psutil
import pytest

from config import leftovers

# Each process writes its number into a file of its name.
NOTE = "import os, signal, subprocess, sys, time; open(os.environ['FOLDER'] + '/{0}', 'w').write(str(os.getpid()));"
SLEEP = NOTE + "time.sleep(300)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SLEEP
# A child in a session of its own is out of reach of signals to a process group.
PARENT = NOTE + (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'], start_new_session=True);"
    "open(os.environ['FOLDER'] + '/{0}-child', 'w').write(str(child.pid)); time.sleep(300)"
)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")


@pytest.fixture
def number(tmp_path, eventually):
    def read(name):
        return int(eventually(lambda: (tmp_path / name).exists() and (tmp_path / name).read_text()))

    return read


@pytest.mark.parametrize("number_of_signal", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop_it_ends_processes_and_their_children_and_exits_0(
    little_site, number, alive, tmp_path, number_of_signal
):
    site = little_site(web=(SLEEP.format("web"), {}), training=(PARENT.format("training"), {}))
    pids = [number("web"), number("training"), number("training-child")]
    site.send_signal(number_of_signal)
    assert site.wait(timeout=20) == 0
    assert not [pid for pid in pids if alive(pid)]
    assert not (tmp_path / "processes.json").exists()


def test_a_process_that_ignores_the_request_is_killed_and_this_is_said(little_site, number, alive):
    site = little_site(web=(STUBBORN.format("web"), {"grace": 0.5}))
    pid = number("web")
    site.terminate()
    output, _ = site.communicate(timeout=20)
    assert site.returncode == 0
    assert not alive(pid)
    assert "web does not stop; killing it" in output


def test_a_second_request_does_not_wait(little_site, number, alive):
    site = little_site(web=(STUBBORN.format("web"), {"grace": 300}))
    pid = number("web")
    site.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        site.wait(timeout=1)
    site.send_signal(signal.SIGINT)
    assert site.wait(timeout=10) == 0
    assert not alive(pid)


def test_a_fallen_process_is_started_again_and_this_is_said(little_site, number, alive, tmp_path, eventually):
    site = little_site(web=(SLEEP.format("web"), {}))
    first = number("web")
    os.kill(first, signal.SIGKILL)
    second = eventually(lambda: (found := number("web")) != first and found)
    site.terminate()
    output, _ = site.communicate(timeout=20)
    assert "web stopped by itself (SIGKILL); starting it again in 1 s" in output
    assert not alive(second)


def test_the_pause_grows_while_a_process_keeps_failing(little_site, eventually):
    site = little_site(web=("raise SystemExit(3)", {}))
    said = [site.stdout.readline(), site.stdout.readline()]
    assert "(exit code 3); starting it again in 1 s" in said[0]
    assert "(exit code 3); starting it again in 2 s" in said[1]


def test_lines_are_marked_with_the_process_that_wrote_them(little_site):
    site = little_site(web=("print('hello'); import time; time.sleep(300)", {}))
    assert site.stdout.readline() == "web       hello\n"


def test_what_others_need_stops_last(little_site, number, tmp_path):
    tell = (
        "import os, signal; order = open(os.environ['FOLDER'] + '/order', 'a', 1);"
        "signal.signal(signal.SIGTERM, lambda *_: (order.write('{0}\\n'), exit()));"
    )
    site = little_site(
        servers=(tell.format("servers") + SLEEP.format("servers"), {"outlives": True}),
        web=(tell.format("web") + SLEEP.format("web"), {}),
    )
    number("servers"), number("web")
    site.terminate()
    site.wait(timeout=20)
    assert (tmp_path / "order").read_text() == "web\nservers\n"


@linux_only
def test_a_killed_supervisor_takes_its_processes_with_it(little_site, number, alive, eventually):
    site = little_site(web=(STUBBORN.format("web"), {}), imports=(SLEEP.format("imports"), {}))
    pids = [number("web"), number("imports")]
    site.kill()
    eventually(lambda: not [pid for pid in pids if alive(pid)])


def test_the_next_start_ends_what_a_killed_run_left(tmp_path, alive):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    leftovers.remember(tmp_path / "processes.json", {"web": sleeper.pid})
    assert leftovers.clear_processes(tmp_path / "processes.json") == ["web"]
    assert not alive(sleeper.pid)
    assert leftovers.clear_processes(tmp_path / "processes.json") == []


def test_another_process_with_the_number_of_a_dead_one_is_left_alone(tmp_path, alive):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        born_before = psutil.Process(sleeper.pid).create_time() - 1000
        record = [{"name": "web", "pid": sleeper.pid, "born": born_before}]
        (tmp_path / "processes.json").write_text(json.dumps(record))
        assert leftovers.clear_processes(tmp_path / "processes.json") == []
        assert alive(sleeper.pid)
    finally:
        sleeper.kill()
        sleeper.wait()
