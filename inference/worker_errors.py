"""What the worker says instead of an answer, in OpenAI's shape. Knows statuses, types and codes.
Knows nothing of requests, engines or connections."""

from __future__ import annotations

import re
from typing import Any, Final

REFUSED: Final = "adapter_refused"
_REFUSAL = re.compile(r"adapter [0-9a-f]{64} is refused: ")


class ApiError(Exception):
    """An answer other than 2xx."""

    def __init__(
        self, status: int, message: str, *, type: str, param: str | None = None, code: str | None = None, wait: int = 0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.param = param
        self.code = code
        self.wait = wait
        """Seconds for Retry-After; 0 for none."""

    @property
    def body(self) -> dict[str, Any]:
        return {"error": {"message": str(self), "type": self.type, "param": self.param, "code": self.code}}


def bad_request(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, type="invalid_request_error", param=param, code=code)


def model_not_found(name: str, *, param: str = "model") -> ApiError:
    message = f"The model {name!r} does not exist: it is neither the base model's name nor the digest of an adapter."
    return ApiError(404, message, type="not_found_error", param=param, code="model_not_found")


def engine_gave_up(reason: str | None) -> ApiError:
    """What the engine says of a request that it began: its adapter, read again from disk, may have gone bad."""
    if reason and _REFUSAL.match(reason):
        return bad_request(f"{reason}.", param="model", code=REFUSED)
    return ApiError(500, reason or "The engine failed.", type="server_error")
