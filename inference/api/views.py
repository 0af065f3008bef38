"""The API: OpenAI's models, completions and chat completions, for everybody's own voices.
Knows requests and answers. Knows nothing of how texts are written: the gateway is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import ClassVar, Final

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from inference import sse
from inference.api import catalogue
from inference.api.endpoint import Endpoint
from inference.api.errors import engine_error
from inference.api.serializers import ChatSerializer, CompletionSerializer, SamplingSerializer
from inference.database import in_database
from inference.gateway import CHAT, TEXT, Gateway, Kind
from inference.text_stream import TextStream
from inference.ticking import ticking
from inference.wire import GatewayError

# Proxies cut connections on which nothing happens for a minute.
KEEP_ALIVE_SECONDS: Final = 15.0


class ModelList(Endpoint):
    async def get(self, request: Request) -> Response:
        models = await in_database(catalogue.everything, user=request.user)
        return Response({"object": "list", "data": models})


class ModelDetail(Endpoint):
    async def get(self, request: Request, name: str) -> Response:
        model = await in_database(catalogue.find, user=request.user, name=name)
        return Response(model.described(name))


class Generate(Endpoint):
    kind: ClassVar[Kind]
    serializer: ClassVar[type[SamplingSerializer]]

    async def post(self, request: Request) -> HttpResponseBase:
        asked = self.serializer(data=request.data)
        asked.is_valid(raise_exception=True)
        model = await in_database(catalogue.find, user=request.user, name=asked.validated_data["model"])
        body, owner = asked.engine_body(model.wire_name), str(request.user.pk)
        if asked.validated_data["stream"]:
            return sse.response(_events(await Gateway().stream(self.kind, body, owner=owner), model.name))
        text = await Gateway().complete(self.kind, body, owner=owner)
        return Response({**text.raw, "model": model.name})


class Completions(Generate):
    kind = TEXT
    serializer = CompletionSerializer


class ChatCompletions(Generate):
    kind = CHAT
    serializer = ChatSerializer


async def _events(stream: TextStream, model: str) -> AsyncGenerator[bytes]:
    pieces = ticking(stream, KEEP_ALIVE_SECONDS)
    try:
        async for piece in pieces:
            yield sse.KEEP_ALIVE if piece is None else sse.event({**piece.raw, "model": model})
        yield sse.DONE
    except GatewayError as error:
        # The status is long sent. Clients know an event with an error in it.
        yield sse.event(engine_error(error).data)
    finally:
        await pieces.aclose()
