"""The models that a person may name in the API: the base model and their own voices.
Knows how public names become the engine's names. Knows nothing of requests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.conf import settings

from accounts.models import User
from adapters import services as adapters
from adapters.models import Version
from inference.api.errors import ModelNotFound


@dataclass(frozen=True, kw_only=True)
class Model:
    """Something that writes."""

    name: str
    """What API consumers call it: the base model's name, or handle/voice@version."""
    wire_name: str
    """What the engine calls it."""
    created: int
    """Unix time."""
    owner: str
    parent: str | None
    """The base model of a voice."""

    def described(self, name: str) -> dict[str, Any]:
        """In OpenAI's shape; `name` may be the short one, `root` says which version it is now."""
        return {
            "id": name,
            "object": "model",
            "created": self.created,
            "owned_by": self.owner,
            "root": self.name,
            "parent": self.parent,
        }


def base_name() -> str:
    """The base model's public name: an operator's folder is nobody else's business."""
    name: str = settings.BASE_MODEL
    return PurePath(name).name if PurePath(name).is_absolute() else name


def find(*, user: User, name: str) -> Model:
    """The model `name`, for `user`. Raises ModelNotFound, for other people's voices too."""
    if name == base_name():
        return Model(name=name, wire_name=settings.BASE_MODEL, created=0, owner="idiolect", parent=None)
    try:
        found = adapters.resolve(user=user, name=name)
    except LookupError:
        raise ModelNotFound(name) from None
    return _voice(found.version)


def everything(*, user: User) -> list[dict[str, Any]]:
    """Descriptions of the base model and of each voice of `user` that can write, its versions newest first."""
    described = [find(user=user, name=base_name()).described(base_name())]
    versions = Version.objects.all().visible_to(user).usable().select_related("voice__owner")
    for version in versions.order_by("voice__slug", "-number"):
        model = _voice(version)
        if version.status == Version.Status.LIVE:
            described.append(model.described(version.voice.api_name))
        described.append(model.described(model.name))
    return described


def _voice(version: Version) -> Model:
    return Model(
        name=f"{version.voice.api_name}@{version.number}",
        wire_name=version.digest,
        created=int(version.created_at.timestamp()),
        owner=version.voice.owner.handle,
        parent=base_name(),
    )
