"""What tests of voices share: writing in any amount, bells that are heard, a trainer that follows a script.
Knows nothing of single tests."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from adapters.base_model import BaseModel
from adapters.store import CONFIG, MANIFEST, WEIGHTS
from adapters.training.assessment import Assessment
from config import stack

if TYPE_CHECKING:
    from adapters.models import Sample, TrainingJob, Voice

ROOT = Path(__file__).resolve().parents[2]
SUBJECTS = ["The ferry", "My neighbour", "A late train", "The chain", "Rain", "An umbrella", "The harbour master"]
DOINGS = ["came back", "was late again", "said nothing", "kept the books", "mended it twice", "went on foot"]
ENDS = ["before the frost", "as it does in March", "and nobody charged", "for nine days", "with the lamp out"]


def essay(words: int, seed: int = 0) -> str:
    """A text of about so many words, the same for the same seed, in paragraphs."""
    draw = random.Random(seed)
    sentences = [
        f"{draw.choice(SUBJECTS)} {draw.choice(DOINGS)} {draw.choice(ENDS)}." for _ in range(max(1, words // 7))
    ]
    paragraphs = [" ".join(sentences[start : start + 6]) for start in range(0, len(sentences), 6)]
    return "\n\n".join(paragraphs)


@pytest.fixture
def own_folders(settings: Any, tmp_path: Path) -> Path:
    """Everything that the site writes goes into this test's folder."""
    settings.VAR = tmp_path / "var"
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ADAPTER_STORE = tmp_path / "store"
    return tmp_path


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Bells that were rung, in place of a broker: (task's short name, id)."""
    from adapters.services import bells

    heard: list[tuple[str, int]] = []

    def send_task(name: str, args: list[int], **_: Any) -> None:
        heard.append((name.rpartition(".")[2], args[0]))

    monkeypatch.setattr(bells.app, "send_task", send_task)
    return heard


@pytest.fixture
def write(base_model: BaseModel) -> Callable[..., Sample]:
    """Give a voice a text."""
    from adapters.services import add_text

    def give(voice: Voice, words: int = 60, seed: int = 0, **fields: Any) -> Sample:
        return add_text(voice=voice, title=f"Post {seed}", text=essay(words, seed), **fields)

    return give


@pytest.fixture
def ready_voice(voice: Voice, write: Callable[..., Sample]) -> Voice:
    """A voice with enough writing to be trained."""
    for seed in range(6):
        write(voice, 900, seed)
    return voice


@pytest.fixture
def job(ready_voice: Voice, rung: list[tuple[str, int]], own_folders: Path) -> TrainingJob:
    """A queued training."""
    from adapters.services import submit_training

    return submit_training(voice=ready_voice, by=ready_voice.owner)


@pytest.fixture(autouse=True)
def not_stopping() -> Iterator[None]:
    from adapters.services.stopping import STOPPING

    yield
    STOPPING.clear()


Worker = subprocess.Popen[bytes]


@pytest.fixture
def start_worker(own_folders: Path, settings: Any) -> Iterator[Callable[..., Worker]]:
    """The training worker as `manage.py up` starts it, on this test's database and folders, killed at the end."""
    from django.db import connection

    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "IDIOLECT_VAR": str(settings.VAR),
        "IDIOLECT_ADAPTER_STORE": str(settings.ADAPTER_STORE),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
    }
    started: list[Worker] = []

    def start(app: str = "config", **more: str) -> Worker:
        command = [sys.executable, "-m", "celery", "--app", app, "--quiet", *stack.worker("training")]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment | more))
        return started[-1]

    yield start
    for worker in started:
        worker.kill()
        worker.wait()


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


class ScriptedChild:
    """A trainer's process that says what it is told to, at once: events, silences, or things to do meanwhile."""

    def __init__(self, *script: Any) -> None:
        self.script = script
        self.killed = threading.Event()
        self.cancelled = threading.Event()
        self.specs: list[Any] = []
        self.left = False
        self.shared = False

    def train(self, job: str, spec: Any) -> Iterator[dict[str, Any] | None]:
        self.specs.append(spec)
        try:
            for line in self.script:
                said = line(self, spec) if callable(line) else line
                for event in said if isinstance(said, Iterator) else [said]:
                    yield event and {"job": job, **event}
        finally:
            self.left = True

    def cancel(self, job: str) -> None:
        self.cancelled.set()

    def abandon(self, job: str) -> bool:
        if not self.shared:
            self.killed.set()
        return not self.shared


def saved(bits: float = 1.1, base: float = 1.25, weights: bytes = b"weights") -> Callable[..., dict[str, Any]]:
    """The last word of a training that went well, its files in place."""

    def write(child: ScriptedChild, spec: Any) -> dict[str, Any]:
        metrics = {"bits_per_byte": bits, "base_bits_per_byte": base, "train_seconds": 12.0}
        manifest = {"base_model": {"name": "base", "digest": "b" * 64}, "metrics": metrics}
        for name, content in [(WEIGHTS, weights), (CONFIG, b"{}"), (MANIFEST, json.dumps(manifest).encode())]:
            (spec.out / name).write_bytes(content)
        return {
            "kind": "saved",
            "folder": str(spec.out),
            "bits_per_byte": bits,
            "base_bits_per_byte": base,
            "rank": 8,
            "bytes": 7,
            "assessment": Assessment(base_bits=base, voice_bits=bits).as_dict(),
            "manifest": manifest,
        }

    return write


def failed(*, infrastructure: bool, error: str = "training.crashed", message: str = "It broke.") -> dict[str, Any]:
    return {"kind": "failed", "error": error, "message": message, "infrastructure": infrastructure, "detail": "Why"}
