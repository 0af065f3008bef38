"""Which addresses of the internet are read for somebody: only those that anybody could reach.
Knows ranges of addresses and how names are resolved. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from adapters.errors import say
from adapters.importers.item import Unreadable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Ranges that lead elsewhere than they say (an IPv4 address inside an IPv6 one), and a public address at which a cloud
# keeps its machines' secrets.
_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96",
        "fec0::/10", "192.0.0.0/24", "100.64.0.0/10", "192.88.99.0/24", "168.63.129.16/32",
    )
)  # fmt: skip


def is_public(address: Address) -> bool:
    """Whether it is somebody's server on the internet: not this machine, not its network, not a cloud's inside."""
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    within = any(address.version == network.version and address in network for network in _REFUSED)
    return address.is_global and not special and not within


async def resolved(host: str, port: int) -> list[str]:
    """Every address of a name, in the system's order. Raises OSError."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(answer: list[str] | OSError | UnicodeError) -> None:
        if not found.done():
            found.set_exception(answer) if isinstance(answer, Exception) else found.set_result(answer)

    def ask() -> None:
        answer: list[str] | OSError | UnicodeError
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            answer = error
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(tell, answer)

    # A thread of its own, which nobody waits for at the end: the loop's are joined, and a resolver may take minutes.
    threading.Thread(target=ask, daemon=True).start()
    return await found


@dataclass(frozen=True, kw_only=True)
class Internet:
    """What may be reached. Tests have one of their own."""

    resolve: Callable[[str, int], Awaitable[list[str]]] = resolved
    """Addresses of a name."""
    may_reach: Callable[[Address], bool] = is_public
    """Asked about each of them."""
    ports: frozenset[int] = frozenset({80, 443})
    """Those that web servers have."""

    async def checked(self, host: str, port: int) -> str:
        """The address to connect to. Raises Unreadable where any address of the name may not be reached: a name
        with one foot inside is not one to be trusted."""
        if port not in self.ports:
            raise Unreadable(say("import.address_port", port=port))
        try:
            found = [ipaddress.ip_address(address.partition("%")[0]) for address in await self.resolve(host, port)]
        except (OSError, ValueError, UnicodeError) as error:
            raise Unreadable(say("import.address_unknown", host=host)) from error
        if not found:
            raise Unreadable(say("import.address_unknown", host=host))
        if not all(map(self.may_reach, found)):
            raise Unreadable(say("import.address_private", host=host))
        return str(found[0])
