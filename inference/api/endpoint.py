"""Endpoints whose handlers are coroutines, with DRF's authentication, parsing and errors.
Knows what all API endpoints share. Knows nothing of single ones."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inference.api.errors import TooLarge
from inference.database import in_database


class Endpoint(APIView):
    """DRF runs handlers in threads, and a thread cannot be cancelled: a client that goes away would leave its text
    being written to the end. Coroutines are cancelled by Django's ASGI handler."""

    view_is_async = True

    async def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.args, self.kwargs = args, kwargs
        self.request = request = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            await in_database(self.initial, request, *args, **kwargs)
            handler = getattr(self, request.method.lower(), None)
            if request.method.lower() not in self.http_method_names or handler is None:
                raise exceptions.MethodNotAllowed(request.method)
            response = await handler(request, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001  (the process boundary: the handler makes an answer of each)
            response = self.handle_exception(exc)
        self.response = self.finalize_response(request, response, *args, **kwargs)
        return self.response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge(f"A request may have up to {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # Clients of streams ask for text/event-stream, others for anything: they get what the body asks for.
        return super().perform_content_negotiation(request, force=True)

    async def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        raise exceptions.MethodNotAllowed(request.method)  # there is no form to describe, only OpenAI's protocol


class Nothing(Endpoint):
    """Every address under /v1/ that is none: even that is said in OpenAI's shape, to everybody."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound(
            f"There is nothing at {request.path}. This site speaks OpenAI's models, completions and chat/completions."
        )
