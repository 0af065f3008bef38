"""Pages on which an author decides what is read: import, list and single text."""

from __future__ import annotations

import io
import re
import zipfile
from html import unescape

import pytest
from django.urls import reverse

from adapters.importers import Held, Item
from adapters.models import ImportJob, Sample
from adapters.services import choose_authors, reread, run_import, start_import
from adapters.views.imports import AUTHORS_SHOWN, HELD_A_PAGE
from tests.adapters.services.test_imports import files
from tests.adapters.services.test_taking import NAMES, brought_in

__all__ = ["brought_in"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_folders", "rung", "base_model")]


def at(name: str, *args: int) -> str:
    return reverse(f"voices:{name}", args=["essays", *args])


def bring(voice, **contents: str) -> ImportJob:
    job = start_import(voice=voice, uploads=files(**contents))
    run_import(job_id=job.pk)
    return job


class TestAnImport:
    def test_offers_drafts_to_be_ticked_in(self, browser, voice):
        job = bring(voice, a__md="One post.", b__md="---\ntitle: Not yet\ndraft: true\n---\nTwo.")
        page = browser.get(at("import", job.pk)).text
        assert "1 waits for you below" in page
        assert "They were not published where they come from." in page
        draft = job.items.get(title="Not yet")
        assert f'name="items" value="{draft.pk}"' in page
        after = browser.post(at("import-take", job.pk), {"items": [draft.pk]}, follow=True).text
        assert "You may close this page" in after
        assert "1 of 2" in after
        run_import(job_id=job.pk)
        after = browser.get(at("import", job.pk)).text
        assert "2 of 2 posts were added" in after
        assert Sample.objects.filter(title="Not yet").exists()
        assert "They were not published" not in after

    def test_offers_thousands_of_drafts_a_page_at_a_time_and_all_at_once(self, browser, voice, brought_in):
        drafts = [Item(external_id=f"{n}", text=f"Draft {n}.", held=Held.DRAFT) for n in range(HELD_A_PAGE + 20)]
        pages = Item(external_id="about", title="About", text="About.", held=Held.PAGE)
        job = brought_in([pages, *drafts])
        first = browser.get(at("import", job.pk)).text
        assert first.count('name="items"') == HELD_A_PAGE
        assert f"All {HELD_A_PAGE + 20} on every page" in first
        second = browser.get(f"{at('import', job.pk)}?waiting=2").text
        assert second.count('name="items"') == 21
        assert 'name="all" value="page"' not in second, "all of them are there"
        browser.post(at("import-take", job.pk), {"all": "draft"})
        run_import(job_id=job.pk)
        assert Sample.objects.count() == HELD_A_PAGE + 20
        assert job.items.get(state="found").title == "About"

    def test_shows_how_far_the_giving_back_is(self, browser, voice, brought_in):
        job = brought_in()
        choose_authors(job=job, authors=["Guest"])
        page = browser.get(at("import", job.pk)).text
        assert "Waiting for a free worker" in page
        assert "2 of 5" in page, "two posts go, one comes, one stays, one is left out"

    @pytest.mark.parametrize("ticked", [[], ["x"], ["9" * 40], ["-1"]])
    def test_takes_nothing_that_makes_no_sense(self, browser, voice, ticked):
        job = bring(voice, b__md="---\ndraft: true\n---\nTwo.")
        after = browser.post(at("import-take", job.pk), {"items": ticked}, follow=True).text
        assert "Tick the posts that are to be added." in after
        run_import(job_id=job.pk)
        assert not Sample.objects.exists()

    def test_asks_whose_posts_are_yours_when_the_file_names_several(self, browser, voice, brought_in):
        job = brought_in()
        page = browser.get(at("import", job.pk)).text
        assert 'value="Maren" checked' in page
        assert 'value="Guest">' in page
        browser.post(at("import-authors", job.pk), {"authors": ["Guest", "nobody in it"]})
        run_import(job_id=job.pk)
        assert set(Sample.objects.values_list("title", flat=True)) == {"Guest", "Both"}
        assert "Tick at least one author." in browser.post(at("import-authors", job.pk), follow=True).text

    def test_brings_names_back_as_they_are(self, browser, voice, brought_in):
        items = [Item(external_id=name, title=name, authors=(name,), text=f"Here {name} wrote.") for name in NAMES]
        job = brought_in(items)
        page = browser.get(at("import", job.pk)).text
        values = {unescape(value) for value in re.findall('name="authors" value="([^"]*)"', page)}
        assert values == set(NAMES)
        browser.post(at("import-authors", job.pk), {"authors": NAMES[:3]})
        run_import(job_id=job.pk)
        assert set(Sample.objects.values_list("author", flat=True)) == set(NAMES[:3])
        page = browser.get(at("import", job.pk)).text
        assert len(re.findall('name="authors" value="[^"]*" checked', page)) == 3

    def test_asks_about_those_who_wrote_most_and_those_who_are_chosen(self, browser, voice, brought_in):
        items = [
            Item(external_id=f"{n}", authors=(f"Author {n:03}",), text=f"Text {n}.") for n in range(AUTHORS_SHOWN + 50)
        ]
        job = brought_in(items)
        choose_authors(job=job, authors=["Author 120"])
        run_import(job_id=job.pk)
        page = browser.get(at("import", job.pk)).text
        assert page.count('name="authors"') == AUTHORS_SHOWN + 1
        assert 'value="Author 120" checked' in page

    def test_of_one_author_asks_nothing(self, browser, voice):
        assert "Whose posts" not in browser.get(at("import", bring(voice, a__txt="One.").pk)).text


class TestOneText:
    def test_shows_what_is_not_read_struck_through_with_the_rule(self, browser, voice):
        bring(voice, a__md="Mine.\n\n> Hers & <b>theirs</b>.")
        page = browser.get(at("sample", Sample.objects.get().pk)).text
        assert '<del class="cut" title="Quotation: ' in page
        assert "&gt; Hers &amp; theirs.</del>" in page

    def test_a_rule_can_be_overruled_here_and_everywhere(self, browser, voice):
        bring(voice, a__md="Mine.\n\n> Hers.", b__md="Too.\n\n> His.")
        first, second = Sample.objects.order_by("external_id")
        page = browser.post(at("sample-rules", first.pk), {"rule": "quotation", "kept": "yes"}, follow=True).text
        assert "Read in this text." in page
        assert "<del" not in page
        said = browser.post(
            at("sample-rules", first.pk), {"rule": "quotation", "kept": "yes", "all": "yes"}, follow=True
        ).text
        assert "being read anew" in said
        assert "being read anew" in browser.get(at("writing")).text
        reread(voice_id=voice.pk)
        assert "being read anew" not in browser.get(at("writing")).text
        second.refresh_from_db()
        assert second.text == "Too.\n\n> His."

    @pytest.mark.parametrize("rule", ["", "nonsense"])
    def test_a_rule_that_is_none_changes_nothing(self, browser, voice, rule):
        bring(voice, a__md="Mine.\n\n> Hers.")
        sample = Sample.objects.get()
        assert browser.post(at("sample-rules", sample.pk), {"rule": rule, "kept": "yes"}).status_code == 302
        sample.refresh_from_db()
        assert sample.kept_rules == []

    def test_says_what_to_look_at(self, browser, voice):
        bring(voice, a__md="Too little.")
        assert "It has fewer than 80 words." in browser.get(at("sample", Sample.objects.get().pk)).text


class TestTheList:
    @pytest.fixture
    def three(self, voice):
        bring(
            voice,
            ferry__md="---\ntitle: Ferry\ndate: 2020-02-03\n---\nIt was late.",
            chain__md="Chains are long.",
            b__txt="x",
        )
        Sample.objects.filter(external_id="b.txt").update(included=False, flags=[])
        return Sample.objects

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ("", 3),
            ("q=ferry", 1),
            ("q=LONG", 1),
            ("show=in", 2),
            ("show=out", 1),
            ("show=flagged", 2),
            ("source=upload", 3),
            ("year=2020", 1),
            ("year=1820", 3),
            ("show=nonsense&source=&page=x", 3),
            ("q=ferry&show=out", 0),
        ],
    )
    def test_shows_what_is_asked_for(self, browser, voice, three, query, count):
        page = browser.get(f"{at('writing')}?{query}").text
        assert f"{count} text{'' if count == 1 else 's'}</h2>" in page
        assert page.count('role="switch"') == count

    def test_ticked_texts_are_left_out_together(self, browser, voice, three):
        ticked = list(three.filter(included=True).values_list("pk", flat=True))
        answer = browser.post(at("writing-bulk"), {"samples": ticked, "do": "leave out", "query": "show=in"})
        assert answer.url == at("writing") + "?show=in"
        assert not three.filter(included=True).exists()

    def test_all_that_the_filter_shows_are_included_together_and_no_others(self, browser, voice, three):
        three.update(included=False)
        browser.post(at("writing-bulk"), {"all": "yes", "do": "include", "query": "q=ferry"})
        assert list(three.filter(included=True).values_list("title", flat=True)) == ["Ferry"]

    def test_other_peoples_texts_are_never_touched(self, browser, voice, make_author, three, write):
        from adapters.services import create_voice

        theirs = write(create_voice(owner=make_author(), name="Essays"), 20)
        browser.post(at("writing-bulk"), {"samples": [theirs.pk], "do": "leave out"})
        theirs.refresh_from_db()
        assert theirs.included

    def test_everything_can_be_taken_away_as_markdown(self, browser, voice, three):
        answer = browser.get(at("writing-download"))
        with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
            assert len(archive.namelist()) == 3
            assert archive.read("2020-02-03-ferry.md").decode() == (
                "---\ntitle: Ferry\ndate: 2020-02-03\nsource: upload\n---\n\nIt was late.\n"
            )
            assert any(name.startswith("left out/") for name in archive.namelist())
