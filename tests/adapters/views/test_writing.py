"""Pages of a voice's writing and of imports."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from adapters.importers import LONGEST
from adapters.models import ImportJob, Sample
from adapters.services import run_import, start_import
from adapters.views.writing import SAMPLES_A_PAGE
from tests.adapters.services.test_imports import files

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folders", "rung", "base_model")]


def at(name: str, *args: int) -> str:
    return reverse(f"voices:{name}", args=["essays", *args])


class TestTheList:
    def test_shows_texts_a_page_at_a_time_and_the_meter(self, browser, voice, write):
        for number in range(SAMPLES_A_PAGE + 1):
            write(voice, 20, number)
        page = browser.get(at("writing")).text
        assert page.count('role="switch"') == SAMPLES_A_PAGE
        assert "26 texts" in page
        assert "Page 1 of 2" in page
        assert browser.get(at("writing") + "?page=2").text.count('role="switch"') == 1

    @pytest.mark.parametrize("page", ["0", "-1", "99", "x", "9" * 40])
    def test_of_a_page_that_is_not_there_is_the_nearest(self, browser, voice, write, page):
        write(voice, 20)
        assert browser.get(at("writing") + f"?page={page}").status_code == 200

    def test_says_how_much_is_missing(self, browser, voice):
        page = browser.get(at("writing")).text
        assert "5 more posts" in page
        assert '<meter min="0" max="5000"' in page

    def test_shows_the_file_name_of_a_text_without_a_title(self, browser, voice):
        run_import(job_id=start_import(voice=voice, uploads=files(untitled__txt="One line.")).pk)
        assert "untitled.txt" in browser.get(at("writing")).text


class TestPasting:
    def test_keeps_the_text_and_asks_for_the_next(self, browser, voice):
        page = browser.post(at("paste"), {"text": "A Title\n\nTwo words.", "date": "2024-05-31"}, follow=True)
        assert "It has fewer than 80 words." in page.text
        assert f'<a href="{at("sample", Sample.objects.get().pk)}">Look at it</a>' in page.text
        assert "Added: 2 words" in page.text
        assert page.redirect_chain[-1][0] == at("paste")
        assert str(Sample.objects.get().date) == "2024-05-31"

    @pytest.mark.parametrize(
        ("sent", "said"),
        [
            ({"text": ""}, "There is no text here yet"),
            ({"text": " \r\n\t"}, "There is no text here yet"),
            ({"text": "Text.", "title": "t" * 10_000}, "at most 300 characters"),
            ({"text": "Text.", "date": "31.5.2024"}, "year, month and day"),
            ({"text": "a\0b"}, "This is not text"),
        ],
    )
    def test_with_something_wrong_says_what_and_keeps_what_was_typed(self, browser, voice, sent, said):
        page = browser.post(at("paste"), sent)
        assert page.status_code == 200
        assert said in page.text
        assert 'aria-invalid="true"' in page.text
        assert not Sample.objects.exists()

    def test_the_same_text_twice_says_which_it_is(self, browser, voice):
        for _ in range(2):
            page = browser.post(at("paste"), {"text": "A Title\n\nText."}, follow=True)
        assert "You already have this text: “A Title”." in page.text

    def test_more_than_a_post_can_be_is_refused_in_words(self, browser, voice, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
        assert "5 MB" in browser.post(at("paste"), {"text": "word " * (LONGEST // 5 + 1)}).text


class TestOneText:
    def test_is_shown_as_the_model_reads_it_beside_what_was_brought_in(self, browser, voice):
        source = "---\ntitle: A\n---\nSome *words*<script>alert(1)</script>."
        run_import(job_id=start_import(voice=voice, uploads=files(a__md=source)).pk)
        page = browser.get(at("sample", Sample.objects.get().pk)).text
        assert '<div class="prose prose--kept">Some words.</div>' in page
        assert "Some *words*&lt;script&gt;alert(1)&lt;/script&gt;." in page
        assert "<script>alert" not in page

    def test_can_be_left_out_and_taken_in_from_its_page(self, browser, voice, write):
        sample = write(voice, 20)
        answer = browser.post(at("sample-include", sample.pk), {"included": "no"})
        sample.refresh_from_db()
        assert (answer.url, sample.included) == (at("sample", sample.pk), False)
        browser.post(at("sample-include", sample.pk), {"included": "yes"})
        sample.refresh_from_db()
        assert sample.included

    @pytest.mark.parametrize(
        ("sent", "query"),
        [
            ("", ""),
            ("page=3", "?page=3"),
            ("show=out&page=2", "?show=out&page=2"),
            ("//evil.example", "?%2F%2Fevil.example="),
        ],
    )
    def test_can_be_left_out_from_the_list_which_stays_where_it_was(self, browser, voice, write, sent, query):
        sample = write(voice, 20)
        answer = browser.post(at("sample-include", sample.pk), {"included": "no", "query": sent})
        assert answer.url == at("writing") + query

    def test_can_be_deleted(self, browser, voice, write):
        sample = write(voice, 20)
        assert browser.post(at("sample-delete", sample.pk)).url == at("writing")
        assert not Sample.objects.exists()


class TestUploading:
    def test_many_files_starts_an_import_and_shows_it(self, browser, voice, rung):
        answer = browser.post(at("upload"), {"uploads": files(a__txt="One.", b__md="Two.")})
        job = ImportJob.objects.get()
        assert answer.url == at("import", job.pk)
        assert job.files.count() == 2
        assert rung == [("run_import", job.pk)]

    def test_nothing_says_what_to_choose(self, browser, voice):
        assert "Choose at least one file." in browser.post(at("upload")).text

    def test_an_empty_file_is_for_the_import_to_leave_out(self, browser, voice):
        browser.post(at("upload"), {"uploads": files(a__txt="", b__txt="Two.")})
        assert ImportJob.objects.get().files.count() == 2

    def test_twenty_megabytes_in_one_post_are_left_out(self, browser, voice):
        browser.post(at("upload"), {"uploads": SimpleUploadedFile("all.txt", b"word " * 4_000_000)})
        job = ImportJob.objects.get()
        run_import(job_id=job.pk)
        assert "20.0 MB are too much for one post" in browser.get(at("import", job.pk)).text


class TestAnImport:
    def test_that_runs_asks_for_itself_and_can_be_left_and_found_again(self, browser, voice):
        job = start_import(voice=voice, uploads=files(a__txt="One."))
        page = browser.get(at("import", job.pk)).text
        assert 'hx-trigger="every 1s"' in page
        assert "0 of 1" in page
        assert at("import", job.pk) in browser.get(at("writing")).text

    def test_that_is_over_says_what_became_of_each_file_and_asks_no_more(self, browser, voice):
        job = start_import(voice=voice, uploads=files(a__txt="A Title\n\nOne.", b__exe="x", c__txt="A Title\n\nOne."))
        run_import(job_id=job.pk)
        page = browser.get(at("import", job.pk)).text
        assert "hx-trigger" not in page
        assert "1 of 3 posts was added" in page
        assert "No format is known" in page
        assert "You already have this text: “A Title”." in page

    def test_of_texts_that_were_deleted_since_can_still_be_seen(self, browser, voice):
        job = start_import(voice=voice, uploads=files(a__txt="One."))
        run_import(job_id=job.pk)
        Sample.objects.all().delete()
        assert "Deleted since" in browser.get(at("import", job.pk)).text
