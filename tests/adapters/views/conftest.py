"""A browser in which the author is logged in. Knows nothing of single pages."""

from __future__ import annotations

import pytest
from django.test import Client


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Pages name static files as they are: without a front-end build there is no manifest of them."""
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}


@pytest.fixture
def browser(client: Client, author) -> Client:
    client.force_login(author)
    return client
