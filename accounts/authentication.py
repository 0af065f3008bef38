"""Recognises API consumers by `Authorization: Bearer <key>`. Knows headers. Knows nothing of what a key may do."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import services
from accounts.models import ApiKey, User


class ApiKeyAuthentication(BaseAuthentication):
    """`request.user` is the key's owner, `request.auth` the key."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise AuthenticationFailed("No API key given: send it as 'Authorization: Bearer idk-…'.")
        key = services.authenticate_key(text.strip())
        if key is None:
            raise AuthenticationFailed("This API key is unknown, revoked or expired: make a new one in your settings.")
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
