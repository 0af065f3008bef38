"""A blog can be read by its address."""

from __future__ import annotations

import pytest

from adapters.importers import File, Unreadable
from adapters.models import ImportJob, Sample
from adapters.services import UserError, reading, run_import, start_import_from

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("base_model", "own_folders", "rung")]
FEED = b"""<rss version="2.0" xmlns:c="http://purl.org/rss/1.0/modules/content/"><channel><title>Tides</title>
<item><guid>1</guid><title>Slack Water</title><pubDate>Sun, 28 Jan 2024 10:00:00 GMT</pubDate>
<c:encoded>&lt;p&gt;The chain is new.&lt;/p&gt;</c:encoded></item></channel></rss>"""


def test_the_posts_of_a_feed_come_in_once(voice, monkeypatch):
    asked = []

    def fetch(address, *, on_damage):
        asked.append(address)
        return File.of(address, FEED)

    monkeypatch.setattr(reading, "fetch", fetch)
    for _ in range(2):
        job = start_import_from(voice=voice, address=" tides.example/feed ")
        run_import(job_id=job.pk)
    assert asked == ["https://tides.example/feed"] * 2
    [sample] = Sample.objects.all()
    assert (sample.title, sample.source, sample.text) == ("Slack Water", "feed", "The chain is new.")
    assert job.items.get().state == "unchanged"


def test_what_cannot_be_fetched_says_why_and_what_was_lost_on_the_way_too(voice, monkeypatch):
    def refuse(address, *, on_damage):
        raise Unreadable("This address is not on the public internet.")

    def lose(address, *, on_damage):
        on_damage("Two more pages of the feed could not be read.")
        return File.of(address, FEED)

    for fetch, said in [(refuse, "not on the public internet"), (lose, "could not be read")]:
        monkeypatch.setattr(reading, "fetch", fetch)
        job = start_import_from(voice=voice, address="https://tides.example")
        run_import(job_id=job.pk)
        assert said in job.items.get(state="skipped").reason


@pytest.mark.parametrize(
    "address", ["", "x", "ftp://tides.example/feed", "javascript:alert(1)", "file:///etc/passwd", "h" * 600]
)
def test_what_is_no_address_starts_nothing(voice, address):
    with pytest.raises(UserError, match="whole address"):
        start_import_from(voice=voice, address=address)
    assert not ImportJob.objects.exists()
