"""Errors of the API in OpenAI's shape. Knows which status, type and code each failure has.
Knows nothing of single endpoints."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from inference import wire

log = logging.getLogger(__name__)


class ModelNotFound(exceptions.NotFound):
    """No model of that name, or none that this key may use: the two cannot be told apart."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The model {name!r} does not exist or you do not have access to it. GET /v1/models lists yours.",
            code="model_not_found",
        )


class TooLarge(exceptions.APIException):
    status_code = 413


def body(message: str, *, type: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def openai_error(exc: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: whatever went wrong, the client's library can read it."""
    set_rollback()
    match exc:
        case wire.GatewayError():
            return engine_error(exc)
        case exceptions.ValidationError(detail=detail):
            param, message = _first(detail)
            return Response(body(message, type="invalid_request_error", param=param), status=400)
        case exceptions.AuthenticationFailed() | exceptions.NotAuthenticated():
            said = body(str(exc.detail), type="invalid_request_error", code="invalid_api_key")
            return Response(said, status=401, headers={"WWW-Authenticate": "Bearer"})
        case exceptions.Throttled():
            said = body(str(exc.detail), type="rate_limit_error", code="rate_limit_exceeded")
            return Response(said, status=429, headers={"Retry-After": str(getattr(exc, "wait", None) or 1)})
        case ModelNotFound():
            said = body(str(exc.detail), type="invalid_request_error", param="model", code="model_not_found")
            return Response(said, status=404)
        case exceptions.APIException():
            return Response(body(str(exc.detail), type="invalid_request_error"), status=exc.status_code)
        case Http404():
            return Response(body("Not found.", type="invalid_request_error"), status=404)
        case PermissionDenied():
            return Response(body("Not allowed.", type="invalid_request_error"), status=403)
        case _:
            log.error("unexpected error in the API", exc_info=exc)
            return Response(body("The site failed. Try again later.", type="server_error"), status=500)


def engine_error(error: wire.GatewayError) -> Response:
    match error:
        case wire.Unavailable():
            said = body(str(error), type="server_error", code="engine_unavailable")
            return Response(said, status=503, headers={"Retry-After": str(error.retry_after)})
        case wire.Busy():
            said = body(str(error), type="rate_limit_error", code="rate_limit_exceeded")
            return Response(said, status=429, headers={"Retry-After": str(error.retry_after)})
        case wire.NotFound():
            # The name was resolved, so the files are what is missing. The engine's words hold a digest.
            said = body("This version's files are gone: train the voice again.", type="server_error")
            return Response({"error": {**said["error"], "param": "model", "code": "model_not_found"}}, status=404)
        case wire.Refused():
            said = body(str(error), type="invalid_request_error", param=error.param, code=error.code)
            return Response(said, status=400)
        case _:
            raise error


def _first(detail: Any, path: str = "") -> tuple[str | None, str]:
    """Path and message of the first error: OpenAI's shape has room for one."""
    match detail:
        case {**fields} if fields:
            name, inner = next(iter(fields.items()))
            if name == "non_field_errors":
                return _first(inner, path)
            if isinstance(name, int):
                return _first(inner, f"{path}[{name}]")
            return _first(inner, f"{path}.{name}" if path else str(name))
        case [first, *_]:
            return _first(first, path)
        case _:
            return path or None, str(detail)
