"""What is done with drafts: begun, written for, stopped, deleted; how a text moves from asked for to finished.
Knows who wins when two want to end the same text. Knows nothing of streams or pages."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from adapters.models import Version, Voice
from inference import prompting
from inference.gateway import SyncGateway
from inference.models import Draft, Generation
from inference.prompting import Length
from inference.wire import NotFound

# A writer saves about every second; one that has not for this long is dead.
HEARTBEAT_TIMEOUT: Final = timedelta(seconds=30)
# A page asks for its text at once.
READER_TIMEOUT: Final = timedelta(seconds=60)


def start_draft(*, voice: Voice, owner: User, brief: str) -> Draft:
    """A new draft, and its first text asked for: from the voice's live version, or the base model where it has none."""
    draft = Draft.objects.create(owner=owner, voice=voice, brief=brief)
    live = voice.versions.filter(status=Version.Status.LIVE).first()
    start_generation(draft=draft, brief=brief, version=live)
    return draft


def start_generation(
    *,
    draft: Draft,
    brief: str,
    version: Version | None = None,
    temperature: float = prompting.TEMPERATURE,
    length: Length = Length.MEDIUM,
    seed: int | None = None,
) -> Generation:
    """Ask for a text; `version` None is the base model. It is written when its first reader comes.

    A text that is still being written for the same draft is stopped. Raises ValueError for another voice's version.
    """
    if version and version.voice_id != draft.voice_id:
        raise ValueError(f"version must belong to the draft's voice, not {version}")
    chosen = prompting.parameters(
        model=version.digest if version else settings.BASE_MODEL,
        writer=f"{draft.voice.name}, version {version.number}" if version else "Base model",
        temperature=temperature,
        length=length,
    )
    with transaction.atomic():
        for earlier in draft.generations.all().active():
            stop_generation(generation=earlier)
        draft.brief = brief
        draft.save(update_fields=["brief", "updated_at"])
        return Generation.objects.create(
            draft=draft,
            version=version,
            brief=brief,
            prompt_template=prompting.template_version(),
            parameters=chosen,
            seed=prompting.random_seed() if seed is None else seed,
        )


def claim_generation(*, pk: int) -> bool:
    """True for exactly one caller, who must then write the text."""
    claimed = Generation.objects.filter(pk=pk, state=Generation.State.QUEUED)
    return claimed.update(state=Generation.State.RUNNING, heartbeat_at=timezone.now()) == 1


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a text has come."""

    text: str
    tokens: int
    first_token_seconds: float | None
    """From the author's asking to the first word."""


def save_progress(*, pk: int, progress: Progress) -> bool:
    """Keep what is written so far. False when the text has been ended meanwhile: its writer must stop."""
    running = Generation.objects.filter(pk=pk, state=Generation.State.RUNNING)
    return running.update(**asdict(progress), heartbeat_at=timezone.now()) == 1


def finish_generation(
    *, pk: int, progress: Progress, outcome: Generation.Outcome, message: str = "", reason: str = ""
) -> None:
    """The writer's last word. Where Stop came first, it stays stopped, but keeps what was written since."""
    Generation.objects.filter(pk=pk).update(**asdict(progress))
    _end(pk=pk, states=[Generation.State.RUNNING], outcome=outcome, message=message, reason=reason)


def stop_generation(*, generation: Generation) -> bool:
    """End a text that is asked for or being written; its writer, wherever it runs, notices within a second."""
    return _end(
        pk=generation.pk, states=[Generation.State.QUEUED, Generation.State.RUNNING], outcome=Generation.Outcome.STOPPED
    )


def delete_draft(*, draft: Draft) -> None:
    """The draft and all its texts; one that is being written stops."""
    draft.delete()


def sweep_generations() -> int:
    """End what nobody writes any more and what nobody came to read; how many there were."""
    now = timezone.now()
    ended = 0
    for pk in Generation.objects.all().abandoned(now - HEARTBEAT_TIMEOUT).values_list("pk", flat=True):
        message = "The site stopped while this was being written. What had been written is kept."
        ended += _end(pk=pk, states=[Generation.State.RUNNING], outcome=Generation.Outcome.FAILED, message=message)
    for pk in Generation.objects.all().unread(now - READER_TIMEOUT).values_list("pk", flat=True):
        ended += _end(pk=pk, states=[Generation.State.QUEUED], outcome=Generation.Outcome.STOPPED)
    return ended


def unload_adapter(*, digest: str) -> None:
    """Have the engine forget an adapter that no version has any more. Raises GatewayError when it cannot be told."""
    if Version.objects.filter(digest=digest).exists():
        return
    with contextlib.suppress(NotFound):  # it was not loaded
        SyncGateway().unload(digest)


def _end(
    *, pk: int, states: list[Generation.State], outcome: Generation.Outcome, message: str = "", reason: str = ""
) -> bool:
    told = {"message": message[:500], "reason": reason[:500], "finished_at": timezone.now()}
    going = Generation.objects.filter(pk=pk, state__in=states)
    return going.update(state=Generation.State.FINISHED, outcome=outcome, **told) == 1
