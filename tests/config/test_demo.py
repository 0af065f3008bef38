"""The demo's authors and its story, without the processes that do the work."""

from datetime import timedelta
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress

from accounts.models import User
from adapters import services
from adapters.models import ImportJob, TrainingEvent, TrainingJob
from config import demo
from config.management.commands.demo import _line

ROOT = Path(__file__).resolve().parents[2]
AUTHORS = demo.authors(ROOT / "demo")


@pytest.fixture
def site_data(settings, tmp_path):
    settings.VAR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def imports_worker(monkeypatch):
    """Stands in for the worker's process: reads the posts as soon as somebody waits for that."""
    monkeypatch.setattr(demo, "_wait_for_import", lambda job: services.run_import(job_id=job.pk))


def test_the_author_of_the_front_page_is_the_one_who_is_trained():
    assert AUTHORS[0].folder.name == demo.TRAINED


@pytest.mark.parametrize("author", AUTHORS, ids=lambda author: author.handle)
def test_demo_authors_have_enough_to_be_trained_on(author):
    posts = sorted(author.folder.glob("*.md"))
    assert len(posts) >= 12
    assert not [post.name for post in posts if len(post.read_text().split()) < 350]


@pytest.mark.model
def test_an_author_who_comes_again_finds_everything_as_it_was(db, site_data, base_model, imports_worker):
    author = AUTHORS[0]
    for _ in range(2):
        user = demo.sign_up(author)
        voice = demo.bring_in(author, user)
    assert User.objects.get() == user
    assert user.name == author.name
    assert user.voices.get() == voice
    assert voice.samples.count() == len(list(author.folder.glob("*.md")))
    assert ImportJob.objects.count() == 1


def test_an_author_can_log_in_with_the_password_that_is_printed(db, site_data, client):
    user = demo.sign_up(AUTHORS[0])
    assert EmailAddress.objects.get(user=user).verified
    client.post("/accounts/login/", {"login": user.email, "password": demo.password()})
    assert client.session["_auth_user_id"] == str(user.pk)


def test_the_password_is_made_once_and_comes_back_after_it_was_changed(db, site_data):
    user = demo.sign_up(AUTHORS[0])
    user.set_password("something else")
    user.save()
    assert demo.sign_up(AUTHORS[0]).check_password(demo.password())


def test_a_job_is_followed_from_its_first_event_to_its_last(voice, author):
    job = TrainingJob.objects.create(voice=voice, requested_by=author, recipe={}, state="finished", outcome="published")
    for seq, kind in enumerate(["loading", "prepared", "finished"], start=1):
        TrainingEvent.objects.create(job=job, seq=seq, kind=kind)
    assert [event.kind for event in demo.follow(job)] == ["loading", "prepared", "finished"]


def test_a_job_that_nobody_works_on_is_not_waited_for_for_ever(voice, author, monkeypatch):
    monkeypatch.setattr(demo, "LONGEST_SILENCE", timedelta(0))
    job = TrainingJob.objects.create(voice=voice, requested_by=author, recipe={})
    with pytest.raises(demo.DemoFailed, match="has not said anything"):
        list(demo.follow(job))


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (
            "step",
            {"step": 7, "steps": 88, "loss": 3.456, "eta_seconds": 125},
            "step   7 of 88   loss 3.46   2 min 05 s left",
        ),
        (
            "evaluation",
            {"step": 6, "bits_per_byte": 1.425},
            "After step 6 the voice needs 1.425, 5.0 % below the base model.",
        ),
        ("requeued", {"reason": "The trainer died."}, "It begins again: The trainer died."),
        ("finished", {"message": "It is better."}, "It is better."),
        ("sample", {"text": "…"}, ""),
    ],
)
def test_events_are_told_in_words(kind, data, said):
    assert _line(TrainingEvent(kind=kind, data=data), base=1.5) == said
