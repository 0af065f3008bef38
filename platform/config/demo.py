"""The demo: invented authors come to the site with their writing, one is trained, and two texts are written.
Knows which of the site's own services an author's clicks would call, in their order. Knows nothing of the terminal."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from accounts.models import User
from adapters import base_model, services
from adapters.models import ImportJob, Sample, TrainingEvent, TrainingJob, Version, Voice
from config import embedded
from inference import services as drafts
from inference import writing
from inference.models import Draft, Generation
from inference.prompting import Length

# The author whom the front page quotes.
TRAINED = "maren-oakes"
SEED = 11
LENGTH = Length.SHORT
# Far beyond what any step takes on a slow machine: what takes longer has nobody working on it.
LONGEST_SILENCE = timedelta(minutes=10)
LOOK_SECONDS = 0.5


class DemoFailed(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Author:
    """An invented author, as the folder of their writing describes them."""

    name: str
    """What they sign with."""
    email: str
    """What they log in with."""
    handle: str
    """Their part of the voice's name in the API."""
    voice: str
    """What their voice is called."""
    about: str
    """Who they are, in a sentence."""
    brief: str
    """What both models are asked to write."""
    folder: Path
    """Where their posts lie, as Markdown."""


def authors(folder: Path) -> list[Author]:
    """The authors below `folder`; the first is the one whose voice is trained."""
    found = []
    for path in sorted(folder.glob("*/author.json"), key=lambda path: (path.parent.name != TRAINED, path)):
        fields = json.loads(path.read_text(encoding="utf-8"))
        wanted = {name: fields[name] for name in ("name", "email", "handle", "voice", "about", "brief")}
        found.append(Author(**wanted, folder=path.parent))
    return found


def password() -> str:
    """The demo authors' password, made once: a site that listens beyond this machine must not have a known one."""
    return embedded.kept_secret(settings.VAR / "demo_password", make=lambda: f"demo-{secrets.token_hex(5)}")


def sign_up(author: Author) -> User:
    """The author's account, e-mail address confirmed. Repeating it changes nothing."""
    user: User | None = User.objects.filter(email=author.email).first()
    if user is None:
        user = User.objects.create_user(author.email, password(), name=author.name, handle=author.handle)
    elif not user.check_password(password()):
        user.set_password(password())
        user.save(update_fields=["password"])
    EmailAddress.objects.update_or_create(user=user, email=author.email, defaults={"verified": True, "primary": True})
    return user


def bring_in(author: Author, user: User) -> Voice:
    """The author's voice with all their posts, read by the imports worker. Posts that are there stay as they are."""
    voice = Voice.objects.visible_to(user).filter(name=author.voice).first()
    voice = voice or services.create_voice(owner=user, name=author.voice)
    known = set(Sample.objects.filter(voice=voice).values_list("external_id", flat=True))
    missing = [path for path in sorted(author.folder.glob("*.md")) if path.name not in known]
    if missing:
        uploads = [ContentFile(path.read_bytes(), name=path.name) for path in missing]
        _wait_for_import(services.start_import(voice=voice, uploads=uploads))
    return voice


def trained(voice: Voice) -> Version | None:
    """The voice's live version, if it was trained on the base model that the site has now."""
    digest = base_model.find(settings.BASE_MODEL, settings.MODELS).digest
    return voice.versions.live().filter(base_digest=digest).select_related("job", "voice__owner").first()


def train(voice: Voice, by: User) -> TrainingJob:
    """Queue a training of the voice, or join the one that is under way."""
    try:
        return services.submit_training(voice=voice, by=by)
    except services.UserError:
        active = TrainingJob.objects.filter(voice=voice).active().first()
        if active is None:
            raise
        return active


def follow(job: TrainingJob) -> Iterator[TrainingEvent]:
    """The job's events from the first to the last, as they come. Raises DemoFailed when none comes any more."""
    seq = 0
    last = timezone.now()
    while True:
        events = list(TrainingEvent.objects.filter(job=job, seq__gt=seq))
        for event in events:
            seq, last = event.seq, timezone.now()
            yield event
        job.refresh_from_db()
        if job.state == TrainingJob.State.FINISHED and not events:
            return
        if timezone.now() - last > LONGEST_SILENCE:
            raise DemoFailed("The training worker has not said anything for ten minutes.")
        time.sleep(LOOK_SECONDS)


def write(author: Author, voice: Voice, on_text: Callable[[], None]) -> tuple[Generation, Generation]:
    """What the base model and the voice write for the author's brief, with the same settings and the same seed.

    Raises DemoFailed when one of them cannot.
    """
    draft = Draft.objects.filter(voice=voice, brief=author.brief).first()
    draft = draft or Draft.objects.create(owner=voice.owner, voice=voice, brief=author.brief)
    texts = []
    for version in (None, voice.versions.live().get()):
        asked = drafts.start_generation(draft=draft, brief=author.brief, version=version, length=LENGTH, seed=SEED)
        asyncio.run(_read(asked, on_text))
        asked.refresh_from_db()
        if asked.outcome != Generation.Outcome.COMPLETE:
            raise DemoFailed(f"{asked.parameters['writer']} wrote nothing: {asked.message}")
        texts.append(asked)
    return texts[0], texts[1]


async def _read(asked: Generation, on_text: Callable[[], None]) -> None:
    async for event in writing.read(asked):
        if isinstance(event, writing.Written):
            on_text()


def _wait_for_import(job: ImportJob) -> None:
    while job.state != ImportJob.State.FINISHED:
        time.sleep(LOOK_SECONDS)
        job.refresh_from_db()
        if timezone.now() - job.created_at > LONGEST_SILENCE:
            raise DemoFailed("The imports worker has not read the posts within ten minutes.")
    skipped = job.items.filter(sample=None)
    if skipped:
        raise DemoFailed("Some posts could not be read. " + " ".join(f"{item}: {item.reason}" for item in skipped))
