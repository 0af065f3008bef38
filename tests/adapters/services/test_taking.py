"""What was found in an import and not taken can be ticked in, author by author or post by post."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from adapters import importers
from adapters.importers import Held, Item, finished
from adapters.models import ImportItem, ImportJob, Sample, StyleProfile
from adapters.services import authors_of, choose_authors, measure_style, run_import, start_import, take_in, taking
from adapters.services.stopping import STOPPING
from tests.adapters.services.test_imports import files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "own_folders", "rung")]

ITEMS = [
    Item(external_id="1", title="Tides", authors=("Maren",), text="The ferry was late and the tide was not."),
    Item(external_id="2", title="Chains", authors=("Maren",), text="A chain is as long as its shortest excuse."),
    Item(external_id="3", title="Guest", authors=("Guest",), text="I was only asked to look after the place."),
    Item(external_id="4", title="Both", authors=("Guest", "Maren"), text="We wrote this on two sides of one table."),
    Item(external_id="5", title="Not yet", authors=("Maren",), text="This is not finished.", held=Held.DRAFT),
    Item(external_id="6", title="Broken", authors=("Maren",), reason="Its file is missing."),
]


@pytest.fixture
def brought_in(voice, monkeypatch):
    """An import of these items; called again it is another one."""

    def bring(items=ITEMS):
        monkeypatch.setattr(importers, "read", lambda _: map(finished, items))
        job = start_import(voice=voice, uploads=files(export__txt="anything"))
        job.files.update(source="")
        run_import(job_id=job.pk)
        job.refresh_from_db()
        return job

    return bring


def tick(job, *titles):
    """Tick these in and let a worker do it; how many were ticked."""
    ticked = take_in(job=job, items=[item.pk for item in job.items.filter(title__in=titles)])
    run_import(job_id=job.pk)
    return ticked


def take_of(job, *authors):
    choose_authors(job=job, authors=authors)
    run_import(job_id=job.pk)


def states(job):
    return {item.title: (str(item.state), item.held) for item in job.items.all()}


def titles():
    return set(Sample.objects.values_list("title", flat=True))


def test_who_wrote_most_is_taken_for_the_author_and_the_rest_waits(brought_in):
    job = brought_in()
    assert job.authors == ["Maren"]
    assert states(job) == {
        "Tides": ("imported", ""),
        "Chains": ("imported", ""),
        "Guest": ("found", "other_author"),
        "Both": ("imported", ""),
        "Not yet": ("found", "draft"),
        "Broken": ("skipped", ""),
    }
    assert authors_of(job) == [("Maren", 4), ("Guest", 2)]


def test_a_draft_can_be_ticked_in(brought_in):
    job = brought_in()
    assert tick(job, "Not yet") == 1
    assert states(job)["Not yet"] == ("imported", "")
    assert Sample.objects.get(title="Not yet").text == "This is not finished."
    assert job.items.get(title="Not yet").content is None, "no second copy"
    assert tick(job, "Not yet") == 0


def test_what_is_ticked_is_left_to_a_worker(brought_in, rung):
    job = brought_in()
    rung.clear()
    assert take_in(job=job, items=[job.items.get(title="Not yet").pk]) == 1
    job.refresh_from_db()
    assert (job.state, job.finished_at, rung) == (ImportJob.State.QUEUED, None, [("run_import", job.pk)])
    assert "Not yet" not in titles()
    choose_authors(job=job, authors=["Guest"])
    assert take_in(job=job, held=["other_author"]) == 0
    run_import(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.authors) == (ImportJob.State.FINISHED, ["Maren"]), "one change after the other"
    assert titles() == {"Tides", "Chains", "Both", "Not yet"}


def test_nothing_that_can_be_ticked_rings_for_nobody(brought_in, rung):
    job = brought_in()
    rung.clear()
    assert take_in(job=job, items=[job.items.get(title=title).pk for title in ("Tides", "Broken")]) == 0
    assert take_in(job=job, held=["", "page", "nonsense"]) == 0
    job.refresh_from_db()
    assert (job.state, rung) == (ImportJob.State.FINISHED, [])


def test_everything_that_is_held_for_a_reason_can_be_ticked_in_at_once(brought_in):
    drafts = [Item(external_id=f"d{n}", title=f"D{n}", text=f"Draft {n}.", held=Held.DRAFT) for n in range(5)]
    job = brought_in([*ITEMS, *drafts])
    assert take_in(job=job, held=["draft"]) == 6
    run_import(job_id=job.pk)
    assert set(job.items.filter(state="found").values_list("title", flat=True)) == {"Guest"}
    assert {"Not yet", "D0", "D4"} <= titles()


def test_what_was_ticked_in_stays_when_more_is_ticked_in(brought_in):
    job = brought_in()
    tick(job, "Guest")
    tick(job, "Not yet")
    assert states(job)["Guest"] == ("imported", "")


def test_a_worker_that_has_to_stop_leaves_the_rest_of_what_was_ticked_to_the_next(brought_in, monkeypatch):
    monkeypatch.setattr(taking, "AT_ONCE", 1)
    real, job = taking.keep_all, brought_in()

    def keep_all(**those):
        STOPPING.set()
        return real(**those)

    monkeypatch.setattr(taking, "keep_all", keep_all)
    assert tick(job, "Not yet", "Guest") == 2
    job.refresh_from_db()
    assert (job.state, len({"Not yet", "Guest"} & titles())) == (ImportJob.State.QUEUED, 1)
    STOPPING.clear()
    run_import(job_id=job.pk)
    assert {"Not yet", "Guest"} <= titles()


def test_a_draft_of_another_author_stays_a_draft_when_that_author_is_chosen(brought_in):
    theirs = Item(external_id="7", title="Their draft", authors=("Guest",), text="Nor is this.", held=Held.DRAFT)
    job = brought_in([*ITEMS, theirs])
    assert states(job)["Their draft"] == ("found", "draft")
    take_of(job, "Guest", "Maren")
    assert states(job)["Their draft"] == ("found", "draft")
    assert "Their draft" not in titles()


def test_nothing_of_another_import_can_be_ticked_in(brought_in):
    first, second = brought_in(), brought_in()
    assert take_in(job=second, items=[first.items.get(title="Not yet").pk]) == 0
    assert "Not yet" not in titles()


def test_another_author_can_be_chosen_and_the_posts_of_the_first_go_again(brought_in):
    job = brought_in()
    take_of(job, "Guest")
    assert titles() == {"Guest", "Both"}
    assert states(job)["Tides"] == ("found", "other_author")
    take_of(job, "Guest", "Maren")
    assert titles() == {"Tides", "Chains", "Guest", "Both"}
    assert states(job)["Not yet"] == ("found", "draft"), "a draft stays one"


NAMES = ["Smith, John", 'Ada "Countess" O’Neil & <b>Co</b>', "Мария Иванова", "山田, 太郎", "a;b"]


def test_names_may_have_commas_quotes_and_any_letters(brought_in):
    items = [Item(external_id=f"{n}", title=f"{n}", authors=(name,), text=f"Text {n}.") for n, name in enumerate(NAMES)]
    job = brought_in([*items, Item(external_id="b", title="Both", authors=("Smith, John", "John"), text="Both of us.")])
    assert dict(authors_of(job)) == dict.fromkeys(NAMES, 1) | {"Smith, John": 2, "John": 1}
    assert job.authors == ["Smith, John"]
    assert titles() == {"0", "Both"}
    take_of(job, "John", *NAMES[1:4])
    assert titles() == {"1", "2", "3", "Both"}
    assert Sample.objects.get(title="3").author == "山田, 太郎"
    assert Sample.objects.get(title="Both").author == "Smith, John, John"


def test_what_was_deleted_meanwhile_is_not_given_back(brought_in):
    job = brought_in()
    Sample.objects.get(title="Tides").delete()
    choose_authors(job=job, authors=["Guest"])
    Sample.objects.get(title="Chains").delete()
    run_import(job_id=job.pk)
    assert titles() == {"Guest", "Both"}
    assert (states(job)["Tides"], states(job)["Chains"]) == (("imported", ""), ("imported", ""))


def test_what_an_earlier_import_brought_in_stays_when_a_later_one_is_of_others(brought_in):
    brought_in()
    later = brought_in()
    assert states(later)["Tides"] == ("unchanged", "")
    take_of(later, "Guest")
    assert {"Tides", "Chains"} <= titles()


def test_a_post_that_has_changed_is_brought_up_to_date(brought_in):
    brought_in()
    before = Sample.objects.get(title="Tides")
    Sample.objects.filter(pk=before.pk).update(included=False)
    text = "The ferry was late and the tide was not. It never is."
    job = brought_in([Item(external_id="1", title="Tides", authors=("Maren",), text=text)])
    after = Sample.objects.get(pk=before.pk)
    assert states(job) == {"Tides": ("updated", "")}
    assert (after.text, after.included) == (text, False), "what its author decided stays"


def test_two_files_of_one_name_are_two_posts_when_they_have_nothing_in_common(voice):
    for text in (
        "The ferry was late and the tide was not, as ever.",
        "A chain is as long as its shortest excuse, I say.",
    ):
        run_import(job_id=start_import(voice=voice, uploads=files(index__txt=text)).pk)
    assert Sample.objects.count() == 2
    worked_over = "A chain is as long as its shortest excuse, I say. And so am I."
    run_import(job_id=start_import(voice=voice, uploads=files(index__txt=worked_over)).pk)
    assert Sample.objects.count() == 2
    assert Sample.objects.filter(text=worked_over).exists()


def test_the_same_goes_for_two_blogs_as_folders(voice):
    for text in ("The ferry was late and the tide was not.", "A chain is as long as its shortest excuse, I say."):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("blog/_posts/2024-01-28-first.md", text)
        run_import(job_id=start_import(voice=voice, uploads=[SimpleUploadedFile("blog.zip", packed.getvalue())]).pk)
    assert Sample.objects.filter(source="folder").count() == 2


def test_a_post_that_stands_in_another_export_is_not_kept_twice(brought_in):
    brought_in()
    job = brought_in([Item(external_id="other-id", title="Tides again", text=ITEMS[0].text)])
    [item] = job.items.all()
    assert (item.state, item.reason) == ("skipped", "You already have this text: “Tides”.")
    assert ImportItem.objects.filter(title="Tides again", sample=None).exists()


def test_style_is_measured_when_an_import_ends_and_forgets_what_is_given_back(brought_in, rung):
    job = brought_in()
    row = StyleProfile.objects.get()
    assert ("measure_style", row.pk) in rung
    measure_style(profile_id=row.pk)
    choose_authors(job=job, authors=["Guest"])
    run_import(job_id=job.pk)
    after = StyleProfile.objects.get()
    assert (after.profile, after.voiceprint) == (None, None)
