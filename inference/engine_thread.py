"""The engine on a thread of its own, and its requests as asynchronous streams.
Knows threads and the event loop. Knows nothing of HTTP or of what requests mean."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import TypeVar

from inference.engine import Engine, Output, Request, Snapshot

log = logging.getLogger(__name__)
T = TypeVar("T")
_Command = Callable[[Engine], None]


class EngineCrashed(RuntimeError):
    """The engine's thread has died of an unexpected error; the process must be started again."""


class EngineThread:
    """Builds the engine and steps it, so that the event loop never waits for a model.

    Everything that touches the engine is a command to this thread, run between two steps; what it finds out comes
    back through the loop.
    """

    def __init__(
        self, build: Callable[[], Engine], *, on_ready: Callable[[], None], on_crash: Callable[[], None]
    ) -> None:
        self._build = build
        self._on_ready = on_ready
        self._on_crash = on_crash
        self._loop = asyncio.get_running_loop()
        self._commands: SimpleQueue[_Command | None] = SimpleQueue()
        self._streams: dict[str, asyncio.Queue[Output]] = {}
        self._calls: set[asyncio.Future[None]] = set()
        self.engine: Engine | None = None
        """Set when ready; only its methods that say so may be called from here."""
        self.error: BaseException | None = None
        """What it died of."""
        # A daemon: a process that has to end does not wait for a model to load.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is running; unfinished requests get no more outputs."""
        self._commands.put(None)
        if self.engine is not None:
            self._thread.join()

    async def call(self, command: Callable[[Engine], T]) -> T:
        """Run `command` between two steps and return what it returns or raise what it raises."""
        if self.error is not None:
            raise EngineCrashed(str(self.error))
        done: asyncio.Future[None] = self._loop.create_future()
        result: list[T] = []
        failure: list[Exception] = []

        def run(engine: Engine) -> None:
            try:
                result.append(command(engine))
            except Exception as error:  # noqa: BLE001  (carried over to the caller's thread and raised there)
                failure.append(error)
            self._loop.call_soon_threadsafe(_resolve, done)

        self._calls.add(done)
        self._commands.put(run)
        try:
            await done
        finally:
            self._calls.discard(done)
        if failure:
            raise failure[0]
        return result[0]

    async def snapshot(self) -> Snapshot | None:
        """What the engine does between two steps; None while there is no engine to ask."""
        if self.engine is None:
            return None
        try:
            # Asked for, not kept: with thousands of adapters, a snapshot after each step would cost as much as a step.
            return await self.call(lambda engine: engine.snapshot())
        except EngineCrashed:
            return None

    async def outputs(self, requests: Sequence[Request]) -> AsyncGenerator[Output]:
        """Submit requests, all or none, and yield their outputs as they come until the last one has ended. Closing the
        generator early cancels those that have not.

        Raises what `Engine.submit` raises, and EngineCrashed.
        """
        stream: asyncio.Queue[Output] = asyncio.Queue()
        self._streams |= {request.id: stream for request in requests}
        going = {request.id for request in requests}
        try:
            await self.call(lambda engine: _submit(engine, requests))
            while going:
                output = await stream.get()
                if output.finish_reason is not None:
                    going.discard(output.request_id)
                yield output
        finally:
            for request in requests:
                del self._streams[request.id]
            if going:
                # Also when `submit` is still in the queue of commands: this one comes behind it.
                self._commands.put(lambda engine: _cancel(engine, going))

    def _run(self) -> None:
        try:
            engine = self.engine = self._build()
            self._loop.call_soon_threadsafe(self._on_ready)
            while self._obey(engine):
                if engine.has_work() and (outputs := engine.step()):
                    self._loop.call_soon_threadsafe(self._deliver, outputs)
        except BaseException as error:  # this thread's own boundary: it is reported and ends the process
            log.critical("The engine died", exc_info=error)
            self.error = error
            self._loop.call_soon_threadsafe(self._crash)

    def _obey(self, engine: Engine) -> bool:
        """Run the commands that have come; while there is nothing else to do, wait for one. False is the end."""
        wait = not engine.has_work()
        while wait or not self._commands.empty():
            command = self._commands.get()
            if command is None:
                return False
            command(engine)
            wait = False
        return True

    def _deliver(self, outputs: list[Output]) -> None:
        for output in outputs:
            if (stream := self._streams.get(output.request_id)) is not None:
                stream.put_nowait(output)

    def _crash(self) -> None:
        for request_id, stream in self._streams.items():
            stream.put_nowait(Output(request_id=request_id, finish_reason="error", error="The engine broke."))
        for call in self._calls:
            if not call.done():
                call.set_exception(EngineCrashed(str(self.error)))
        self._on_crash()


def _resolve(done: asyncio.Future[None]) -> None:
    if not done.done():  # whoever waited may be gone
        done.set_result(None)


def _submit(engine: Engine, requests: Sequence[Request]) -> None:
    for number, request in enumerate(requests):
        try:
            engine.submit(request)
        except BaseException:
            _cancel(engine, [earlier.id for earlier in requests[:number]])
            raise


def _cancel(engine: Engine, request_ids: Iterable[str]) -> None:
    for request_id in request_ids:
        engine.cancel(request_id)
