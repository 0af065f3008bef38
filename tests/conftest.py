"""What every test may ask for. Knows the base model and how to make an author.
Knows nothing of single packages: theirs have conftests of their own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from adapters import base_model as base

if TYPE_CHECKING:
    from accounts.models import User
    from adapters.models import Voice

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports Triton: it shall run kernels on the CPU

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def base_model() -> base.BaseModel:
    """The starter model on disk, fetched once."""
    return base.fetch(base.STARTER, Path(os.environ["IDIOLECT_MODELS"]))


@pytest.fixture(scope="session")
def starter(base_model: base.BaseModel) -> tuple[Any, Any]:
    """The starter model in fp32 on the CPU and its tokenizer, loaded once: leave it as it was."""
    return base.load(base_model.folder, device="cpu", dtype="float32")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real exports and corpora that lie beside the project on some machines."""
    if not SHARED.is_dir():
        pytest.skip("no shared material beside the checkout")
    return SHARED


@pytest.fixture(autouse=True)
def quick_pages(settings: Any) -> None:
    """Pages name static files as they are, since a test needs no manifest of them; passwords are hashed in no time."""
    backend = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": backend}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def make_author(db: None) -> Callable[..., User]:
    from accounts.models import User

    numbers = itertools.count(1)

    def make(**fields: Any) -> User:
        number = next(numbers)
        email = fields.pop("email", f"author{number}@example.org")
        return User.objects.create_user(email, fields.pop("password", "a quiet password"), **fields)

    return make


@pytest.fixture
def author(make_author: Callable[..., User]) -> User:
    return make_author(email="ada@example.org", name="Ada")


@pytest.fixture
def voice(author: User) -> Voice:
    from adapters.models import Voice

    return Voice.objects.create(owner=author, name="Essays", slug="essays")
