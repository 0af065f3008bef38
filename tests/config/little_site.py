"""A supervisor with small processes, run as a program of its own by the tests beside it.
Arguments: a folder to work in, and the processes as JSON: name -> [Python code, options of Command]."""

import json
import os
import signal
import sys
from pathlib import Path

from config.console import Console
from config.supervisor import Command, StopRequested, Supervisor


def main(folder: Path, processes: dict[str, list]) -> None:
    supervisor = Supervisor(
        console=Console(sys.stdout, processes),
        record=folder / "processes.json",
        environment=os.environ,
        folder=folder,
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, supervisor.request_stop)
    try:
        for name, (code, options) in processes.items():
            supervisor.start(Command(name=name, argv=[sys.executable, "-u", "-c", code], **options))
        while True:
            supervisor.watch(0.02)
    except StopRequested:
        pass
    finally:
        supervisor.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
