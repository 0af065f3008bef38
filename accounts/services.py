"""What is done with accounts: profiles change, API keys are made, recognised and revoked.
Knows how a key is hashed. Knows nothing of requests or pages."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.utils import timezone

from accounts.models import ApiKey, User

KEY_START = "idk-"
# Writing the time of last use at every request would be a row update per completion.
LAST_USED_PRECISION = timedelta(minutes=1)


def update_profile(*, user: User, name: str, handle: str) -> None:
    """API consumers ask for the user's voices by the handle: with a new one, the old names answer 404."""
    User.objects.filter(pk=user.pk).update(name=name, handle=handle)


def create_api_key(*, owner: User, name: str, expires_at: datetime | None = None) -> tuple[ApiKey, str]:
    """A new key of `owner` and its text, which is never to be had again. Raises ValueError for an empty name."""
    if not name.strip():
        raise ValueError("name must not be empty: it is how you will know the key again")
    text = KEY_START + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        owner=owner, name=name.strip(), prefix=text[:12], hash=_hash(text), expires_at=expires_at
    )
    return key, text


def authenticate_key(text: str) -> ApiKey | None:
    """The usable key with this text, its last use noted."""
    key: ApiKey | None = ApiKey.objects.usable().select_related("owner").filter(hash=_hash(text)).first()
    now = timezone.now()
    if key and (key.last_used_at is None or now - key.last_used_at > LAST_USED_PRECISION):
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


def revoke_api_key(*, key: ApiKey) -> None:
    """From now on the key opens nothing. Revoking twice keeps the first time."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())


def _hash(text: str) -> str:
    # A key has 256 random bits: a plain hash cannot be reversed, and a slow one would be paid at every request.
    return hashlib.sha256(text.encode()).hexdigest()
