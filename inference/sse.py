"""Server-sent events as bytes. Knows the wire format. Knows nothing of what is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any, Final

from django.http import StreamingHttpResponse

KEEP_ALIVE: Final = b": still here\n\n"
DONE: Final = b"data: [DONE]\n\n"


def event(data: Any, name: str = "") -> bytes:
    """`data` as JSON, so that a line break in it cannot end the event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def response(stream: AsyncGenerator[bytes], content_type: str = "text/event-stream") -> StreamingHttpResponse:
    """Sent as it comes: neither caches nor proxies may hold it back."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(stream, content_type=content_type, headers=headers)
