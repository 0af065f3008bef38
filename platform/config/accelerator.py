"""Whether the machine has a GPU for the models, told without loading them. Knows where NVIDIA's driver shows itself.
Knows nothing of torch, which takes seconds to ask."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")


def on_gpu(device: str) -> bool:
    """What the setting `device` comes to here: `auto` is the GPU where there is one."""
    if device != "auto":
        return device.startswith("cuda")
    if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}:
        return False
    return DRIVER.exists() or shutil.which("nvidia-smi") is not None


def number(text: str, *, auto: int) -> int:
    """A setting that is a number, or `auto`."""
    return auto if text in {"", "auto"} else int(text)
