"""A browser in which the author is logged in. Knows nothing of single pages."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture
def browser(client: Client, author) -> Client:
    client.force_login(author)
    return client
