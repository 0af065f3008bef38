"""`manage.py demo`: tells the demo's story in a terminal, against the site that runs.
Knows words. Knows nothing of how anything is done (see `config.demo`)."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from adapters.errors import UserError
from adapters.models import TrainingEvent, TrainingJob, Version, Voice
from config import demo
from config.columns import side_by_side, wrapped
from config.figures import figures, train_seconds

SECONDS_BETWEEN_STEPS = 5.0
WIDEST = 132


class Command(BaseCommand):
    help = "Make the demo authors on the running site, train the first one's voice, and show what it writes."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        self.width = min(shutil.get_terminal_size().columns, WIDEST)
        self.pieces = 0
        try:
            self._tell()
        except (demo.DemoFailed, UserError) as failure:
            self._say(f"\nThe demo stops here. {failure}")
            sys.exit(1)

    def _tell(self) -> None:
        authors = demo.authors(settings.BASE_DIR / "demo")
        self._say("\nThe demo's authors bring in their writing:")
        voices = [demo.bring_in(author, demo.sign_up(author)) for author in authors]
        for author, voice in zip(authors, voices, strict=True):
            self._say(f"{author.name}: {voice.name}, {voice.samples.included().count()} posts", indent=2)
            self._say(author.about, indent=4)

        author, voice = authors[0], voices[0]
        live = demo.trained(voice)
        if live:
            self._say(f"\n{voice.name} was trained on {live.created_at:%-d %B %Y}. That voice is used again.")
        else:
            live = self._train(voice)

        self._say(f"\nThe base model and {voice.name} write for the same brief, with the same settings and seed:")
        self._say(f"“{author.brief}”", indent=4)
        base_text, voice_text = demo.write(author, voice, self._dot)
        titles = "Base model", f"{voice.name}, version {live.number}"
        texts = (titles[0], base_text.text), (titles[1], voice_text.text)
        self.stdout.write("\n\n" + side_by_side(*texts, width=self.width))
        self._say(f"\n{_in_words(live)}")

        path = settings.VAR / "demo.json"
        kept = figures(live=live, base_text=base_text, voice_text=voice_text)
        path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        self._say(f"These figures and texts are kept in {_short(path)}.")
        self._say(f"\nOpen        {settings.SITE_URL}", indent=2)
        for author in authors:
            self._say(f"Log in as   {author.email}", indent=2)
        self._say(f"Password    {demo.password()}", indent=2)
        if not os.environ.get("DEMO_EXIT"):
            self._say("\nThe site stays up. Ctrl-C stops it.")

    def _train(self, voice: Voice) -> Version:
        self._say(f"\n{voice.name} is trained:")
        job = demo.train(voice, voice.owner)
        base = None
        next_step = 0.0
        for event in demo.follow(job):
            if event.kind == "baseline":
                base = event.data["bits_per_byte"]
            if event.kind == "step":
                if time.monotonic() < next_step:
                    continue
                next_step = time.monotonic() + SECONDS_BETWEEN_STEPS
            if line := _line(event, base):
                self._say(line, indent=2)
        if job.outcome != TrainingJob.Outcome.PUBLISHED:
            raise demo.DemoFailed(f"No voice came of the training. {job.message}")
        self._say(f"It took {_minutes(train_seconds(job))}.", indent=2)
        return Version.objects.select_related("job", "voice__owner").get(job=job)

    def _say(self, text: str, *, indent: int = 0) -> None:
        self.stdout.write(wrapped(text, width=self.width, indent=indent))
        self.stdout.flush()

    def _dot(self) -> None:
        self.pieces += 1
        if self.pieces % 10:
            return
        self.stdout.write(".", ending="")
        self.stdout.flush()


def _line(event: TrainingEvent, base: float | None) -> str:
    """What there is to say about an event; nothing about most."""
    data = event.data
    match event.kind:
        case "loading":
            return "The base model is being loaded."
        case "prepared":
            return (
                f"{data['train_posts']} posts are learned from, {data['held_out_posts']} held out to be tested on; "
                f"{data['steps']} steps at most."
            )
        case "baseline":
            return f"The base model needs {data['bits_per_byte']:.3f} bits per byte for the posts held out."
        case "step":
            left = _minutes(data["eta_seconds"])
            return f"step {data['step']:3} of {data['steps']}   loss {data['loss']:.2f}   {left} left"
        case "evaluation":
            below = f", {_percent(1 - data['bits_per_byte'] / base)} below the base model" if base else ""
            return f"After step {data['step']} the voice needs {data['bits_per_byte']:.3f}{below}."
        case "requeued":
            return f"It begins again: {data['reason']}"
        case "finished":
            return str(data["message"])
    return ""


def _in_words(live: Version) -> str:
    voice, base = live.metrics["bits_per_byte"], live.metrics["base_bits_per_byte"]
    return (
        f"For posts that neither has read, the voice needs {voice:.3f} bits per byte where the base model needs "
        f"{base:.3f}: it is {_percent(1 - voice / base)} less surprised by what {live.voice.owner.name} writes."
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02} s" if whole >= 60 else f"{whole} s"


def _short(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else str(path)
