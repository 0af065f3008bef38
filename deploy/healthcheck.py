"""Health of one container, from inside it: exit 0 when it works. `healthcheck.py web|inference|worker QUEUE|beat`.
Knows how each process can be asked. Knows nothing of what is done about a sick one."""

import os
import socket
import sys
import time
import urllib.request
from pathlib import Path

# Beat writes its schedule to disk every three minutes.
BEAT_SILENCE_SECONDS = 600


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=4) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def listens(queue: str) -> bool:
    from config.celery import app

    name = f"{queue}@{socket.gethostname()}"
    return bool(app.control.inspect(destination=[name], timeout=10).ping())


def ticks(schedule: Path) -> bool:
    # Depending on the platform, the file has an ending of its own.
    written = [path.stat().st_mtime for path in schedule.parent.glob(f"{schedule.name}*")]
    return bool(written) and time.time() - max(written) < BEAT_SILENCE_SECONDS


def main(role: str, *details: str) -> bool:
    match role:
        case "web":
            return answers("http://127.0.0.1:8000/healthz")
        case "inference":
            return answers("http://127.0.0.1:8100/health")
        case "worker":
            return listens(*details)
        case "beat":
            return ticks(Path(os.environ["IDIOLECT_VAR"]) / "run" / "beat")
    raise SystemExit(f"role must be web, inference, worker or beat, not {role!r}")


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:]) else 1)
