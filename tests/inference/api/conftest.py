"""API consumers: a key, and a client that sends it. Knows the header. Knows nothing of single endpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts import services as accounts
from accounts.models import User

Ask = Callable[..., Any]


@pytest.fixture
def key(author: User) -> str:
    return accounts.create_api_key(owner=author, name="test")[1]


@pytest.fixture
def ask(client: Client, key: str) -> Ask:
    """`ask("chat/completions", model=…)` posts JSON with the key."""

    def post(path: str, /, data: Any = None, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return client.post(f"/v1/{path}", body if data is None else data, "application/json", headers=headers)

    return post
