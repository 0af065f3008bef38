"""Gateway: the site's one client of any engine server that speaks OpenAI's protocol, our worker or vLLM.
Knows connections, timeouts and when an adapter must be loaded first. Knows nothing of voices, owners or pages."""

from __future__ import annotations

import asyncio
import functools
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import httpx
from django.conf import settings

from adapters.store import AdapterMissing, AdapterStore
from inference.text_stream import TextStream
from inference.wire import (
    ADAPTER_REFUSED,
    GatewayError,
    NotFound,
    Piece,
    Refused,
    ServedAdapter,
    ServedModel,
    Text,
    Unavailable,
    read_adapter,
    read_error,
    read_text,
    unreachable,
)

Kind = Literal["/v1/chat/completions", "/v1/completions"]
CHAT: Final = "/v1/chat/completions"
TEXT: Final = "/v1/completions"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_Answer = TypeVar("_Answer", Text, TextStream)


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where an engine server is and how long to wait for it."""

    url: str
    """Without a slash at the end."""
    secret: str
    """Sent with every call; only the gateway knows it."""
    adapters: Path
    """Root of the adapter store, as the server sees it: vLLM is told the folder of an adapter that it shall load."""
    connect_seconds: float = 5.0
    """A server that does not even accept is not running."""
    silence_seconds: float = 300.0
    """Longest wait for the next byte of a stream: behind a full queue on a slow CPU the first token takes minutes."""
    answer_seconds: float = 1800.0
    """Longest wait for an answer in one piece, which comes after its last token."""

    @classmethod
    def configured(cls) -> Server:
        """The one that the site's settings name."""
        return cls(url=settings.INFERENCE_URL, secret=settings.INFERENCE_SECRET, adapters=settings.ADAPTER_STORE)


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether texts can be written now."""

    state: Literal["ready", "starting", "down"]
    message: str
    """For a person; empty when ready."""


class Gateway:
    """The asynchronous client. Its methods raise `wire.GatewayError`.

    A `body` is a request in OpenAI's shape whose `model` is the base model's name or an adapter's digest. `owner` is
    who waits for the text, in a word that says nothing of them (a primary key): our worker has owners take turns.
    """

    def __init__(self, server: Server | None = None) -> None:
        self.server = server or Server.configured()

    async def health(self) -> Health:
        """Never raises: that nobody answers is an answer too."""
        try:
            await self._call("GET", "/health", wait=self.server.connect_seconds)
        except GatewayError as error:
            starting = isinstance(error, Unavailable) and error.starting
            return Health(state="starting" if starting else "down", message=str(error))
        return Health(state="ready", message="")

    async def models(self) -> list[ServedModel]:
        """The base model and the adapters that are loaded now."""
        answer = _json(await self._call("GET", "/v1/models", wait=30))
        return [ServedModel(id=model["id"], parent=model.get("parent")) for model in answer["data"]]

    async def adapters(self) -> list[ServedAdapter]:
        """What our worker knows of each adapter. Raises NotFound where the server is another one."""
        return [read_adapter(adapter) for adapter in _json(await self._call("GET", "/v1/adapters", wait=30))]

    async def load(self, digest: str) -> None:
        """Have the server load an adapter, so that its first request need not wait."""
        try:
            folder = AdapterStore(self.server.adapters).path(digest)
        except AdapterMissing as missing:
            raise NotFound(f"Adapter {digest} is not in the store.") from missing
        adapter = {"lora_name": digest, "lora_path": str(folder)}
        await self._call("POST", "/v1/load_lora_adapter", adapter, wait=120)

    async def unload(self, digest: str) -> None:
        await self._call("POST", "/v1/unload_lora_adapter", {"lora_name": digest}, wait=30)

    async def complete(self, kind: Kind, body: Mapping[str, Any], *, owner: str | None = None) -> Text:
        """The whole answer in one piece. Cancelling the call closes the connection; that cancels it in the engine."""

        async def send() -> Text:
            asked = {**body, "stream": False}
            return read_text(_json(await self._call("POST", kind, asked, headers=_owned(owner))))

        return await self._loading_adapter(body["model"], send)

    async def stream(self, kind: Kind, body: Mapping[str, Any], *, owner: str | None = None) -> TextStream:
        """The answer piece by piece; returns as soon as the server has accepted the request."""

        async def send() -> TextStream:
            client = self._client(self.server.silence_seconds)
            try:
                request = client.build_request("POST", kind, json={**body, "stream": True}, headers=_owned(owner))
                response = await client.send(request, stream=True)
                if not response.is_success:
                    await response.aread()
                    raise read_error(response)
            except httpx.TransportError as error:
                await client.aclose()
                raise unreachable(error) from error
            except BaseException:  # refused or cancelled: nobody else has this connection to close
                await client.aclose()
                raise
            return TextStream(client, response)

        return await self._loading_adapter(body["model"], send)

    async def _loading_adapter(self, model: str, send: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """`send`, and once more after loading the adapter when the server (vLLM) loads none on demand."""
        try:
            return await send()
        except NotFound:
            if not _DIGEST.fullmatch(model):
                raise
        refused: Refused | None = None
        try:
            await self.load(model)
        except Refused as error:
            # Perhaps only because somebody else has just loaded it: the second try will tell.
            refused = Refused(str(error), param="model", code=ADAPTER_REFUSED)
        try:
            return await send()
        except NotFound as missing:
            raise refused or missing from None

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        wait: float | None = None,
    ) -> httpx.Response:
        async with self._client(wait or self.server.answer_seconds) as client:
            try:
                response = await client.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                raise unreachable(error) from error
        if not response.is_success:
            raise read_error(response)
        return response

    def _client(self, wait: float) -> httpx.AsyncClient:
        # One client a call: a pool would be bound to one event loop, and on a private network it would gain nothing.
        return httpx.AsyncClient(
            base_url=self.server.url,
            headers={"Authorization": f"Bearer {self.server.secret}"},
            timeout=httpx.Timeout(wait, connect=self.server.connect_seconds),
            verify=_tls() if self.server.url.startswith("https:") else False,
            trust_env=False,  # the secret goes to the server, never to a proxy
        )


class SyncGateway:
    """The same client for code without an event loop: tasks and the command line."""

    def __init__(self, server: Server | None = None) -> None:
        self._gateway = Gateway(server)

    def health(self) -> Health:
        return asyncio.run(self._gateway.health())

    def models(self) -> list[ServedModel]:
        return asyncio.run(self._gateway.models())

    def adapters(self) -> list[ServedAdapter]:
        return asyncio.run(self._gateway.adapters())

    def load(self, digest: str) -> None:
        asyncio.run(self._gateway.load(digest))

    def unload(self, digest: str) -> None:
        asyncio.run(self._gateway.unload(digest))

    def complete(self, kind: Kind, body: Mapping[str, Any], *, owner: str | None = None) -> Text:
        return asyncio.run(self._gateway.complete(kind, body, owner=owner))

    def stream(self, kind: Kind, body: Mapping[str, Any], *, owner: str | None = None) -> Iterator[Piece]:
        """The pieces; closing the iterator cancels the rest."""
        with asyncio.Runner() as runner:
            stream = runner.run(self._gateway.stream(kind, body, owner=owner))
            try:
                while (piece := runner.run(_next(stream))) is not None:
                    yield piece
            finally:
                runner.run(stream.aclose())


async def _next(stream: TextStream) -> Piece | None:
    return await anext(stream, None)


def _owned(owner: str | None) -> dict[str, str]:
    return {"X-Owner": owner} if owner else {}


def _json(response: httpx.Response) -> Any:
    try:
        answer: Any = response.json()
    except ValueError as error:
        raise Unavailable("What answers at IDIOLECT_INFERENCE_URL is not a writing engine.") from error
    return answer


@functools.cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
