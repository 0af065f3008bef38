"""What staff see of voices and trainings, and what they may do to them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from adapters.models import TrainingJob, Version, Voice
from adapters.services import jobs, start_import
from adapters.services.versions import store
from tests.adapters.services.test_imports import files
from tests.adapters.services.test_voices import stored
from tests.inference.conftest import make_version

__all__ = ["make_version", "stored"]
pytestmark = pytest.mark.django_db(transaction=True)
MODELS = ["voice", "sample", "importjob", "trainingjob", "version"]


@pytest.fixture
def staff(client, make_author):
    client.force_login(make_author(email="root@example.org", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def everything(job, make_version):
    start_import(voice=job.voice, uploads=files(a__txt="Text."))
    jobs.record(jobs.claim(), "step", {"step": 1, "loss": 3.0})
    return {
        "voice": job.voice,
        "sample": job.voice.samples.first(),
        "importjob": job.voice.imports.first(),
        "trainingjob": job,
        "version": make_version(metrics={"gain": 0.12}),
    }


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_pages_open(staff, everything, model):
    assert staff.get(reverse(f"admin:adapters_{model}_changelist")).status_code == 200
    assert staff.get(reverse(f"admin:adapters_{model}_change", args=[everything[model].pk])).status_code == 200
    assert staff.get(reverse(f"admin:adapters_{model}_changelist"), {"q": "essays"}).status_code == 200


@pytest.mark.parametrize("model", MODELS)
def test_authors_are_sent_away(client, author, model):
    client.force_login(author)
    assert client.get(reverse(f"admin:adapters_{model}_changelist")).status_code == 302


@pytest.mark.parametrize("model", MODELS[1:])
def test_what_happened_is_neither_added_nor_deleted_by_itself(staff, everything, model):
    assert staff.get(reverse(f"admin:adapters_{model}_add")).status_code == 403
    assert staff.post(reverse(f"admin:adapters_{model}_delete", args=[everything[model].pk])).status_code == 403


def test_the_events_of_a_training_are_on_its_page(staff, everything):
    page = staff.get(reverse("admin:adapters_trainingjob_change", args=[everything["trainingjob"].pk])).text
    assert "&#x27;loss&#x27;: 3.0" in page or '"loss": 3.0' in page or "&quot;loss&quot;: 3.0" in page


def test_a_deleted_voice_takes_its_files_along(staff, job, make_version, stored, rung):
    digest = stored(b"mine")
    make_version(digest=digest)
    gone = staff.post(reverse("admin:adapters_voice_delete", args=[job.voice.pk]), {"post": "yes"})
    assert gone.status_code == 302
    assert not Voice.objects.exists()
    assert not Version.objects.exists()
    assert list(store().digests()) == []
    assert ("unload_adapter", digest) in rung


def act(browser, action: str, job: TrainingJob) -> TrainingJob:
    browser.post(reverse("admin:adapters_trainingjob_changelist"), {"action": action, "_selected_action": [job.pk]})
    job.refresh_from_db()
    return job


def test_staff_may_cancel_a_training(staff, job):
    assert act(staff, "cancel", job).outcome == TrainingJob.Outcome.CANCELLED


def test_staff_may_take_a_training_from_a_stuck_worker(staff, job, rung):
    stuck = jobs.claim()
    assert act(staff, "requeue", job).state == TrainingJob.State.QUEUED
    assert rung == [("run_training", job.pk)] * 2
    jobs.claim()
    with pytest.raises(jobs.Lost):
        jobs.beat(stuck)


def test_staff_who_may_only_look_move_nothing(client, make_author, job):
    looker = make_author(email="looker@example.org", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_trainingjob"))
    client.force_login(looker)
    assert act(client, "cancel", job).state == TrainingJob.State.QUEUED
