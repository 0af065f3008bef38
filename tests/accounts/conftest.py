"""What tests of accounts share: an author whose address is confirmed, and a browser in which they are logged in."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from accounts.models import User


@pytest.fixture(autouse=True)
def no_attempts_so_far():
    """Attempts to log in are counted per address of the visitor, which is one and the same for all tests."""
    cache.clear()


@pytest.fixture
def author(author: User) -> User:
    EmailAddress.objects.create(user=author, email=author.email, verified=True, primary=True)
    return author


@pytest.fixture
def at_home(client: Client, author: User) -> Client:
    """The author's browser, logged in."""
    client.force_login(author)
    return client
