"""Files are uploaded, read by a worker, and gone."""

from __future__ import annotations

import json
import threading
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from adapters import importers
from adapters.models import ImportFile, ImportJob, Sample
from adapters.services import UserError, base, imports, reading, run_import, start_import, sweep_imports
from adapters.services.stopping import STOPPING

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "own_folders", "rung")]


def files(**contents: bytes | str) -> list[SimpleUploadedFile]:
    """Uploads by name; a double underscore stands for the dot."""
    return [
        SimpleUploadedFile(name.replace("__", "."), content.encode() if isinstance(content, str) else content)
        for name, content in contents.items()
    ]


def outcomes(job: ImportJob) -> dict[str, tuple[str, str]]:
    return {item.external_id: (item.state, item.reason) for item in job.items.all()}


def on_disk(folder: Path) -> list[Path]:
    return [file for file in (folder / "media").rglob("*") if file.is_file()]


def test_an_upload_rings_for_a_worker_and_its_files_wait_on_disk(voice, rung, own_folders):
    job = start_import(voice=voice, uploads=files(a__txt="Text.", b__md="More."))
    assert rung == [("run_import", job.pk)]
    assert len(on_disk(own_folders)) == 2
    assert job.state == ImportJob.State.QUEUED


def test_names_that_somebody_typed_never_become_paths(voice, own_folders):
    upload = SimpleUploadedFile("x", b"Text.")
    upload._name = "../../../etc/passwd.txt"
    start_import(voice=voice, uploads=[upload])
    [file] = on_disk(own_folders)
    assert "passwd" not in file.name


def test_each_file_is_imported_or_left_out_with_a_reason(voice, own_folders):
    job = start_import(
        voice=voice,
        uploads=files(
            post__md="---\ntitle: Slack Water\ndate: 2024-01-28\n---\nThe chain is new.",
            old__txt="A caf\xe9 in Z\xfcrich.".encode("cp1252"),
            wide__txt="Both bytes of it.".encode("utf-16"),
            again__txt="The  chain is new.",
            draft__md="---\ndraft: true\n---\nNot yet.",
            photo__txt=b"\x89PNG\r\n\x1a\n\0\0",
            empty__txt="",
            program__exe=b"MZ\x01\x02",
            huge__txt=b"word " * (importers.LONGEST // 5 + 1),
        ),
    )
    run_import(job_id=job.pk)
    job.refresh_from_db()
    states = {name: state for name, (state, _) in outcomes(job).items()}
    assert states == {
        "post.md": "imported",
        "old.txt": "imported",
        "wide.txt": "imported",
        "again.txt": "skipped",
        "draft.md": "found",
        "photo.txt": "skipped",
        "empty.txt": "skipped",
        "program.exe": "skipped",
        "huge.txt": "skipped",
    }
    reasons = {name: reason for name, (_, reason) in outcomes(job).items() if reason}
    assert len(set(reasons.values())) == 5
    assert "“Slack Water”" in reasons["again.txt"]
    assert (job.state, bool(job.finished_at)) == (ImportJob.State.FINISHED, True)
    assert on_disk(own_folders) == []
    sample = Sample.objects.get(external_id="post.md")
    assert (sample.title, str(sample.date), sample.source) == ("Slack Water", "2024-01-28", "upload")
    assert Sample.objects.get(external_id="old.txt").text == "A café in Zürich."


def test_html_and_script_in_a_post_are_kept_as_text_only(voice):
    job = start_import(voice=voice, uploads=files(a__md="Hello <b>you</b>.\n\n<script>alert(1)</script>\n\nBye."))
    run_import(job_id=job.pk)
    assert Sample.objects.get().text == "Hello you.\n\nBye."


def test_uploading_the_same_again_adds_nothing_and_says_so(voice):
    for _ in range(2):
        job = start_import(voice=voice, uploads=files(a__txt="A Title\n\nText.", b__txt="More."))
        run_import(job_id=job.pk)
    assert Sample.objects.count() == 2
    assert outcomes(job) == {"a.txt": ("unchanged", ""), "b.txt": ("unchanged", "")}
    job = start_import(voice=voice, uploads=files(other__txt="A Title\n\nText."))
    run_import(job_id=job.pk)
    assert outcomes(job)["other.txt"] == ("skipped", "You already have this text: “A Title”.")


def test_a_message_that_comes_twice_does_nothing(voice):
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    for _ in range(2):
        run_import(job_id=job.pk)
    assert outcomes(job) == {"a.txt": ("imported", "")}
    run_import(job_id=10**6)


def test_no_files_are_no_import(voice):
    with pytest.raises(UserError):
        start_import(voice=voice, uploads=[])
    assert not ImportJob.objects.exists()


def test_when_the_upload_breaks_off_no_file_is_left(voice, own_folders):
    class Broken(SimpleUploadedFile):
        def chunks(self, chunk_size=None):
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        start_import(voice=voice, uploads=[*files(a__txt="Text."), Broken("b.txt", b"Text.")])
    assert on_disk(own_folders) == []
    assert not ImportJob.objects.exists()


def test_one_file_that_breaks_a_parser_does_not_keep_the_others_from_being_read(voice, monkeypatch):
    real = importers.read

    def read(file):
        if file.name == "bad.txt":
            raise RecursionError
        return real(file)

    monkeypatch.setattr(importers, "read", read)
    job = start_import(voice=voice, uploads=files(bad__txt="Text.", good__txt="Text."))
    run_import(job_id=job.pk)
    assert outcomes(job)["good.txt"][0] == "imported"
    assert "could not be read" in outcomes(job)["bad.txt"][1]


def test_a_worker_that_is_told_to_stop_gives_the_job_back_and_nothing_is_lost(voice, rung, monkeypatch):
    job = start_import(voice=voice, uploads=files(a__txt="One.", b__txt="Two.", c__txt="Three."))
    real = importers.read

    def read(file):
        STOPPING.set()
        return real(file)

    monkeypatch.setattr(importers, "read", read)
    run_import(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == ImportJob.State.QUEUED
    assert [file.done for file in job.files.all()] == [True, False, False]
    assert rung == [("run_import", job.pk)] * 2
    run_import(job_id=job.pk)
    assert not Sample.objects.exists(), "a worker that stops takes nothing up"
    STOPPING.clear()
    monkeypatch.setattr(importers, "read", real)
    run_import(job_id=job.pk)
    assert Sample.objects.count() == 3


def make_old(job: ImportJob, state: str) -> None:
    ImportJob.objects.filter(pk=job.pk).update(state=state, heartbeat_at=timezone.now() - timedelta(minutes=5))


@pytest.mark.parametrize("state", [ImportJob.State.RUNNING, ImportJob.State.QUEUED])
def test_an_import_whose_worker_or_message_is_gone_is_taken_up_again(voice, rung, state):
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    make_old(job, state)
    rung.clear()
    sweep_imports()
    sweep_imports()
    assert [bell for bell in rung if bell[0] == "run_import"] == [("run_import", job.pk)]
    run_import(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == ImportJob.State.FINISHED


def test_the_sweeper_leaves_live_and_finished_imports_alone(voice, rung):
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    sweep_imports()
    run_import(job_id=job.pk)
    ImportJob.objects.update(heartbeat_at=timezone.now() - timedelta(days=1))
    sweep_imports()
    assert [bell for bell in rung if bell[0] == "run_import"] == [("run_import", job.pk)]


def test_a_file_that_kills_its_worker_every_time_is_left_out_in_the_end(voice):
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    ImportFile.objects.update(attempts=reading.ATTEMPTS)
    run_import(job_id=job.pk)
    assert "could not be read" in outcomes(job)["a.txt"][1]


def test_a_file_that_vanished_is_left_out(voice, own_folders):
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    for file in on_disk(own_folders):
        file.unlink()
    run_import(job_id=job.pk)
    assert "could not be read" in outcomes(job)["a.txt"][1]


def test_two_workers_at_once_import_each_file_once(voice, monkeypatch):
    monkeypatch.setattr(imports, "_move", lambda *_: True)  # both believe that the job is theirs
    job = start_import(voice=voice, uploads=files(**{f"f{number}__txt": f"Text {number}." for number in range(20)}))

    def work():
        from django.db import connection

        try:
            run_import(job_id=job.pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert Sample.objects.count() == 20
    assert {state for state, _ in outcomes(job).values()} == {"imported"}


def test_a_worker_shows_that_it_lives_while_it_reads_one_long_file(voice, monkeypatch):
    monkeypatch.setattr(imports, "HEARTBEAT", 0.05)
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    seen = []
    real = importers.read

    def read(file):
        for _ in range(2):
            seen.append(ImportJob.objects.get(pk=job.pk).heartbeat_at)
            threading.Event().wait(0.3)
        return real(file)

    monkeypatch.setattr(importers, "read", read)
    run_import(job_id=job.pk)
    assert seen[1] > seen[0]


def test_without_a_base_model_the_files_wait_for_it(voice, settings, tmp_path):
    job = start_import(voice=voice, uploads=files(a__txt="Text."))
    models, settings.MODELS = settings.MODELS, tmp_path
    with pytest.raises(UserError):
        run_import(job_id=job.pk)
    settings.MODELS = models
    make_old(job, ImportJob.State.RUNNING)
    sweep_imports()
    run_import(job_id=job.pk)
    assert outcomes(job) == {"a.txt": ("imported", "")}


def test_five_hundred_files_at_once(voice, monkeypatch):
    monkeypatch.setattr(base, "count_tokens", lambda text: len(text) // 4)
    job = start_import(voice=voice, uploads=files(**{f"f{number}__md": f"Text {number}." for number in range(500)}))
    run_import(job_id=job.pk)
    assert Sample.objects.count() == 500


@pytest.mark.parametrize("slug", ["jerome-k-jerome", "chris-wellons"])
def test_a_real_authors_writing_comes_in_whole(voice, shared, slug):
    author = next(
        each for each in json.loads((shared / "corpora" / "authors.json").read_text()) if each["slug"] == slug
    )
    with zipfile.ZipFile(shared / "corpora" / author["zip"]) as pieces:
        uploads = [SimpleUploadedFile(Path(name).name, pieces.read(name)) for name in pieces.namelist()]
    job = start_import(voice=voice, uploads=uploads)
    run_import(job_id=job.pk)
    assert [reason for _, reason in outcomes(job).values() if reason] == []
    assert Sample.objects.filter(voice=voice).count() == author["pieces"]
