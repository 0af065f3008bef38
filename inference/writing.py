"""Writing: a text streams from the engine to its reader, and into its row as it grows; later readers follow the row.
Knows when to save and when to stop. Knows nothing of how readers are reached."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils import timezone

from inference import prompting, services
from inference.database import in_database
from inference.gateway import CHAT, Gateway
from inference.models import Generation
from inference.ticking import ticking
from inference.wire import ADAPTER_REFUSED, GatewayError, NotFound, Piece, Refused

log = logging.getLogger(__name__)

# Also the longest time until Stop, pressed in another process, is noticed.
SAVE_SECONDS: Final = 0.5
FOLLOW_SECONDS: Final = 0.4

VOICE_REFUSED: Final = (
    "This voice cannot be used: its files are damaged, or made for another base model than the one that writes here. "
    "Train it again."
)
VOICE_GONE: Final = "This voice cannot be used: its files are gone. Train it again."
NO_BASE_MODEL: Final = "The base model that this site asks for is not the one that writes. Tell whoever runs this site."


@dataclass(frozen=True, kw_only=True)
class Written:
    """New text, to be put at position `at` of what the reader has."""

    at: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    outcome: str
    message: str


Event = Written | Ended | None  # None: nothing new, but still there


@dataclass(kw_only=True)
class _Growing:
    generation: Generation
    text: str = ""
    pieces: int = 0
    counted: int | None = None
    """Tokens as the engine counts them, once it says so."""
    first_token_seconds: float | None = None
    saved_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    def add(self, text: str) -> Written:
        if self.first_token_seconds is None:
            self.first_token_seconds = (timezone.now() - self.generation.created_at).total_seconds()
        written = Written(at=len(self.text), text=text)
        self.text += text
        self.pieces += 1
        return written

    @property
    def due(self) -> bool:
        return asyncio.get_running_loop().time() - self.saved_at >= SAVE_SECONDS

    async def save(self) -> bool:
        self.saved_at = asyncio.get_running_loop().time()
        return await in_database(services.save_progress, pk=self.generation.pk, progress=self._progress())

    async def finish(self, outcome: Generation.Outcome, message: str, reason: str) -> None:
        finish, told = services.finish_generation, {"message": message, "reason": reason}
        await in_database(finish, pk=self.generation.pk, progress=self._progress(), outcome=outcome, **told)

    def _progress(self) -> services.Progress:
        # An engine that is stopped early never says how many tokens it made; it sends about one a piece.
        tokens = self.pieces if self.counted is None else self.counted
        return services.Progress(text=self.text, tokens=tokens, first_token_seconds=self.first_token_seconds)


async def read(generation: Generation, gateway: Gateway | None = None) -> AsyncGenerator[Event]:
    """The text for one reader: the first one has it written, every other one follows what is saved."""
    if await in_database(services.claim_generation, pk=generation.pk):
        events = _write(generation, gateway or Gateway())
    else:
        events = _follow(generation.pk)
    try:
        async for event in events:
            yield event
    finally:
        await events.aclose()


async def _write(generation: Generation, gateway: Gateway) -> AsyncGenerator[Event]:
    """Whatever happens, the row ends finished: complete, failed, or, when the reader goes, stopped."""
    growing = _Growing(generation=generation)
    outcome, message, reason = Generation.Outcome.FAILED, "The site failed while this was being written.", ""
    try:
        async for event in _until_enough(generation, gateway, growing):
            yield event
        outcome, message = Generation.Outcome.COMPLETE, ""
    except _StoppedElsewhere:
        outcome, message = Generation.Outcome.STOPPED, ""
    except GatewayError as error:
        outcome, message, reason = Generation.Outcome.FAILED, for_author(error, generation), str(error)
        log.warning("generation %s failed: %s", generation.pk, reason)
    except (asyncio.CancelledError, GeneratorExit):
        outcome, message = Generation.Outcome.STOPPED, ""
        raise
    finally:
        await growing.finish(outcome, message, reason)
    yield Ended(outcome=outcome, message=message)


class _StoppedElsewhere(Exception):
    """The row is finished already: Stop, the sweeper, or the draft is gone."""


def for_author(error: GatewayError, generation: Generation) -> str:
    """The engine speaks of digests and tensors; an author can only train again."""
    match error:
        case Refused(code=code) if code == ADAPTER_REFUSED:
            return VOICE_REFUSED
        case NotFound():
            return VOICE_GONE if generation.version_id else NO_BASE_MODEL
        case _:
            return str(error)


async def _until_enough(generation: Generation, gateway: Gateway, growing: _Growing) -> AsyncGenerator[Event]:
    body = prompting.body(brief=generation.brief, seed=generation.seed, parameters=generation.parameters)
    draft = await in_database(lambda: generation.draft)
    pieces = ticking(_pieces(gateway, body, owner=str(draft.owner_id)), SAVE_SECONDS)
    try:
        async for piece in pieces:
            if piece is None:
                yield None
            elif text := piece.text.replace("\x00", ""):  # Postgres keeps no NUL
                if prompting.is_enough(growing.text, text, generation.parameters["words"]):
                    return
                yield growing.add(text)
            if piece and piece.usage:
                growing.counted = piece.usage.completion_tokens
            if growing.due and not await growing.save():
                raise _StoppedElsewhere
    finally:
        await pieces.aclose()


async def _pieces(gateway: Gateway, body: dict[str, Any], *, owner: str) -> AsyncGenerator[Piece]:
    stream = await gateway.stream(CHAT, body, owner=owner)
    try:
        async for piece in stream:
            yield piece
    finally:
        await stream.aclose()


async def _follow(pk: int) -> AsyncGenerator[Event]:
    rows = Generation.objects.filter(pk=pk).values("state", "outcome", "message", "text")
    at = 0
    while row := await in_database(rows.all().first):
        if len(row["text"]) > at:
            yield Written(at=at, text=row["text"][at:])
            at = len(row["text"])
        if row["state"] == Generation.State.FINISHED:
            yield Ended(outcome=row["outcome"], message=row["message"])
            return
        yield None
        await asyncio.sleep(FOLLOW_SECONDS)
    yield Ended(outcome=Generation.Outcome.STOPPED, message="")
