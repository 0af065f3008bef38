"""Peak memory by process name."""

import subprocess
import sys

from config.memory import PeakMemory

# 80 MiB of its own, and a child.
CODE = (
    "import subprocess, sys; kept = bytearray(80 << 20);"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(flush=True);"
    "sys.stdin.read(); child.kill(); child.wait()"
)


def test_a_peak_outlives_its_process_and_children_have_a_name():
    memory = PeakMemory()
    process = subprocess.Popen([sys.executable, "-c", CODE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    memory.sample({process.pid: "training"})
    process.communicate()
    memory.sample({})
    figures = memory.figures()
    assert 80 < figures["peak_rss_mib"]["training"] < 160
    assert 0 < figures["peak_rss_mib"]["training-child"] < 60
    assert figures["peak_rss_total_mib"] > figures["peak_rss_mib"]["training"]
