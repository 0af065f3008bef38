"""What stands in front of every call to the worker: the shared secret, readiness, and one shape for all errors.
Knows aiohttp's middlewares. Knows nothing of what the calls do."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from aiohttp import web
from aiohttp.typedefs import Middleware

from inference.engine_thread import EngineCrashed
from inference.worker_errors import ApiError

log = logging.getLogger(__name__)

State = Literal["loading", "ok", "stopping", "failed"]
RETRY_SECONDS: Final = 5
_WHY_NOT: dict[State, str] = {
    "loading": "The base model is being loaded.",
    "stopping": "This worker is about to stop.",
    "failed": "The engine has broken and is about to be started again.",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def openai_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every error in OpenAI's shape."""
    try:
        return await handler(request)
    except ApiError as error:
        said = error
    except EngineCrashed:
        said = ApiError(500, _WHY_NOT["failed"], type="server_error")
    except web.HTTPException as error:
        kind = "not_found_error" if error.status == 404 else "invalid_request_error"
        said = ApiError(error.status, error.text or error.reason, type=kind)
    except Exception:
        # The boundary of this process: one failed call must neither look like an answer nor end the worker.
        log.exception("%s %s failed", request.method, request.path)
        said = ApiError(500, "The worker failed; its log says why.", type="server_error")
    headers = {"Retry-After": str(said.wait)} if said.wait else None
    return web.json_response(said.body, status=said.status, headers=headers)


def guard(secret: str, state: Callable[[], State]) -> Middleware:
    """The secret first, then whether there is an engine to ask. Health is everybody's, metrics need no engine."""
    expected = f"Bearer {secret}".encode()

    @web.middleware
    async def check(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if request.path == "/health":
            return await handler(request)
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        # Compared in constant time: how long a wrong secret takes must not say how much of it is right.
        if not hmac.compare_digest(given, expected):
            message = "Wrong or missing secret: send it as `Authorization: Bearer <secret>`."
            raise ApiError(401, message, type="invalid_request_error", code="invalid_api_key")
        if (now := state()) != "ok" and request.path != "/metrics":
            raise ApiError(503, _WHY_NOT[now], type="unavailable_error", code=now, wait=RETRY_SECONDS)
        return await handler(request)

    return check
