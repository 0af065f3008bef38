"""Which adapters the engine knows, and whose they are. Knows digests, versions and tiers.
Knows nothing of pages; staff alone may see what it tells."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from adapters.models import Version
from inference.gateway import SyncGateway
from inference.wire import GatewayError, NotFound, ServedAdapter

TIERS: Final = {"device": "Device memory", "host": "Host memory", "disk": "Disk"}


@dataclass(frozen=True, kw_only=True)
class Tier:
    """One kind of memory, for the summary."""

    name: str
    adapters: int
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Served:
    """What the engine says, or why it says nothing."""

    state: Literal["ready", "elsewhere", "down"]
    """"elsewhere": the server is no worker of ours, and keeps this to itself."""
    message: str = ""
    """Why there is nothing to see, when down."""
    adapters: Sequence[ServedAdapter] = ()
    """Last used first."""

    @property
    def tiers(self) -> list[Tier]:
        found = [(name, [adapter for adapter in self.adapters if adapter.tier == tier]) for tier, name in TIERS.items()]
        return [
            Tier(name=name, adapters=len(held), bytes=sum(adapter.bytes for adapter in held)) for name, held in found
        ]


@dataclass(frozen=True, kw_only=True)
class Row:
    """An adapter and the versions that it is; none when the site has deleted them, or when another site loaded it."""

    adapter: ServedAdapter
    versions: Sequence[Version]

    @property
    def place(self) -> str:
        return TIERS.get(self.adapter.tier, self.adapter.tier)


def served() -> Served:
    """Asks the engine. Never raises: that nobody answers is an answer too."""
    try:
        adapters = SyncGateway().adapters()
    except NotFound:
        return Served(state="elsewhere")
    except GatewayError as error:
        return Served(state="down", message=str(error))
    return Served(state="ready", adapters=sorted(adapters, key=lambda adapter: adapter.last_used, reverse=True))


def with_versions(adapters: Sequence[ServedAdapter]) -> list[Row]:
    """One query, however many there are."""
    versions = defaultdict(list)
    wanted = Version.objects.filter(digest__in=[adapter.digest for adapter in adapters])
    for version in wanted.select_related("voice__owner").order_by("voice__slug", "-number"):
        versions[version.digest].append(version)
    return [Row(adapter=adapter, versions=versions[adapter.digest]) for adapter in adapters]
