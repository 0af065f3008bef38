"""Whether this worker has been told to stop. Knows one flag, set by Celery's signal in `adapters.tasks`.
Knows nothing of signals or jobs: whoever works in steps asks between them."""

from __future__ import annotations

import threading
from typing import Final

STOPPING: Final = threading.Event()
