"""What travels between the site and an engine server, in OpenAI's shapes: answers, pieces of streams, errors.
Knows how to read our worker's and vLLM's. Knows nothing of connections or of who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

ADAPTER_REFUSED: Final = "adapter_refused"
"""Code of the error that an adapter's own files are the reason of."""


class GatewayError(Exception):
    """Why a text could not be had. `str()` is a sentence for whoever asked for it."""


class Unavailable(GatewayError):
    """No engine answers: it is not running, still starting, or it broke."""

    def __init__(self, message: str, *, starting: bool = False, retry_after: int = 10) -> None:
        super().__init__(message)
        self.starting = starting
        self.retry_after = retry_after
        """Seconds after which asking again makes sense."""


class Busy(GatewayError):
    """The engine's queue is full."""

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(GatewayError):
    """The engine does not take this request; `param` names the field when it says so."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class NotFound(GatewayError):
    """The engine has no such model."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, kw_only=True)
class Text:
    """A whole answer."""

    text: str
    finish_reason: str | None
    """"stop" where the model ended the text, "length" where the limit did."""
    usage: Usage | None
    raw: dict[str, Any]
    """The answer as it came."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One event of a stream."""

    text: str
    """Empty in events that carry the role, the end or the usage."""
    finish_reason: str | None
    usage: Usage | None
    raw: dict[str, Any]
    """The event as it came."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """The base model, or an adapter that is loaded."""

    id: str
    """The base model's name, or an adapter's digest."""
    parent: str | None
    """The base model of an adapter."""


@dataclass(frozen=True, kw_only=True)
class ServedAdapter:
    """An adapter that the engine knows."""

    digest: str
    rank: int
    bytes: int
    tier: str
    """The fastest memory that holds it: "device", "host" or "disk"."""
    last_used: datetime
    running: int
    """Requests."""
    waiting: int


def read_adapter(adapter: dict[str, Any]) -> ServedAdapter:
    return ServedAdapter(
        digest=adapter["digest"],
        rank=adapter["rank"],
        bytes=adapter["bytes"],
        tier=adapter["tier"],
        last_used=datetime.fromtimestamp(adapter["last_used"], tz=UTC),
        running=adapter["requests_running"],
        waiting=adapter["requests_waiting"],
    )


def read_text(answer: dict[str, Any]) -> Text:
    choice = answer["choices"][0]
    text = choice["message"]["content"] if "message" in choice else choice["text"]
    return Text(text=text or "", finish_reason=choice.get("finish_reason"), usage=_usage(answer), raw=answer)


def read_piece(event: dict[str, Any]) -> Piece:
    choice = event["choices"][0] if event.get("choices") else {}  # the usage event has no choices
    text = choice["delta"].get("content") if "delta" in choice else choice.get("text")
    return Piece(text=text or "", finish_reason=choice.get("finish_reason"), usage=_usage(event), raw=event)


def read_error(response: httpx.Response) -> GatewayError:
    """What an answer that is no success means."""
    message, param, code = _said(response)
    match response.status_code:
        case 401 | 403:
            return Unavailable(
                "The writing engine does not accept this site's secret: IDIOLECT_INFERENCE_SECRET must be the same "
                "for both."
            )
        case 404:
            return NotFound(message)
        case 429:
            message = "The writing engine has no room for another text just now. Try again in a few seconds."
            return Busy(message, retry_after=_seconds(response, 5))
        case 503:
            restarting = code in {"stopping", "failed"}
            why = "is being restarted." if restarting else "is starting: the model is still being loaded."
            return Unavailable(f"The writing engine {why}", starting=True, retry_after=_seconds(response, 5))
        case status if 400 <= status < 500:
            return Refused(message, param=param, code=code)
        case status:
            return Unavailable(f"The writing engine failed ({status}).")


def read_error_event(event: dict[str, Any]) -> GatewayError:
    """An error that came after the stream had begun: the engine's fault, or the adapter's."""
    error = event["error"] if isinstance(event["error"], dict) else {"message": event["error"]}
    said = error.get("message")
    if error.get("code") == ADAPTER_REFUSED:
        return Refused(str(said), param=error.get("param"), code=ADAPTER_REFUSED)
    return Unavailable(f"The writing engine failed in the middle of the text: {said}")


def unreachable(error: httpx.TransportError) -> Unavailable:
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return Unavailable("The writing engine is not running.")
        case httpx.TimeoutException():
            return Unavailable("The writing engine did not answer in time.")
        case _:
            return Unavailable("The writing engine went away before it had finished.")


def _usage(answer: dict[str, Any]) -> Usage | None:
    if not (usage := answer.get("usage")):
        return None
    return Usage(prompt_tokens=usage["prompt_tokens"], completion_tokens=usage.get("completion_tokens") or 0)


def _said(response: httpx.Response) -> tuple[str, str | None, str | None]:
    """Message, param and code. Older vLLM has them at the top, FastAPI's own errors are called `detail`."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return response.text[:300] or f"the engine answered {response.status_code}", None, None
    error = body["error"] if isinstance(body.get("error"), dict) else body
    code = error.get("code") or body.get("status")
    message = error.get("message") or body.get("detail") or f"the engine answered {response.status_code}"
    return str(message), error.get("param"), code if isinstance(code, str) else None


def _seconds(response: httpx.Response, default: int) -> int:
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isdecimal() else default
