"""The database from coroutines that last. Knows when to give a connection back. Knows no tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def in_database(
    function: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Call `function` in a thread. The connection goes back at once: streams last minutes, and Postgres has few."""

    def call() -> Result:
        _give_back()  # what broke since the last call, a restarted server for example, is noticed here
        try:
            return function(*args, **kwargs)
        finally:
            _give_back()

    return await sync_to_async(call)()


def _give_back() -> None:
    for connection in connections.all(initialized_only=True):
        # Django's own close_old_connections would also close one in whose transaction somebody still is.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
