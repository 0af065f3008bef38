"""The demo's figures, as var/demo.json keeps them. Knows where each is recorded.
Knows nothing of how the demo goes (see `config.demo`)."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

from adapters.models import TrainingJob, Version
from inference.models import Generation


def figures(*, live: Version, base_text: Generation, voice_text: Generation) -> dict[str, Any]:
    """What was trained and written, how good it is, how long it took, and on what machine."""
    memory = settings.VAR / "run" / "memory.json"
    return {
        "author": live.voice.owner.name,
        "voice": live.voice.api_name,
        "version": live.number,
        "train_seconds": round(train_seconds(live.job), 1) if live.job else None,
        "base_bits_per_byte": live.metrics["base_bits_per_byte"],
        "voice_bits_per_byte": live.metrics["bits_per_byte"],
        "gain": live.metrics["gain"],
        "brief": voice_text.brief,
        "seed": voice_text.seed,
        "parameters": voice_text.parameters,
        "base_text": base_text.text,
        "voice_text": voice_text.text,
        "first_token_seconds": voice_text.first_token_seconds,
        "base_first_token_seconds": base_text.first_token_seconds,
        "tokens_per_second": voice_text.tokens_per_second,
        **(json.loads(memory.read_text()) if memory.exists() else {}),
        "machine": machine(),
    }


def train_seconds(job: TrainingJob) -> float:
    """From the moment a worker took the job to its end: loading, measuring and training."""
    assert job.started_at
    assert job.finished_at
    return (job.finished_at - job.started_at).total_seconds()


def machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / (1 << 30), 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "base_model": settings.BASE_MODEL,
        "device": settings.DEVICE,
        **{name: version(name) for name in ("torch", "transformers", "peft")},
    }


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text().splitlines() if known.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
