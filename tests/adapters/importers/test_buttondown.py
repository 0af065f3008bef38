"""Buttondown's mails, from its export and its API."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from adapters.importers import File, Held, Item, buttondown, importer_of, read
from tests.adapters.importers.zips import damaged, packed, stored

TABLE = "id,subject,publish_date,slug\na1,Tea,2023-01-02 16:55:00+00:00,tea\n"


def export(mail: str = "Some *words*.", **more: str) -> dict[str, str | bytes]:
    return {"emails.csv": TABLE, "emails/tea.md": mail} | {f"emails/{slug}.md": text for slug, text in more.items()}


def read_all(files: dict[str, str | bytes]) -> list[Item]:
    return list(read(File.of("export.zip", packed(files))))


def answer(**fields: Any) -> list[Item]:
    mail = {"id": "a1", "subject": "Tea", "publish_date": "2023-01-02T16:55:00Z", "body": "Some *words*.", **fields}
    return list(read(File.of("emails.json", json.dumps({"results": [mail]}).encode())))


def test_a_mail_is_read_alike_from_the_export_and_the_api():
    for [item] in (read_all(export()), answer()):
        assert (item.external_id, item.title, item.date) == ("a1", "Tea", date(2023, 1, 2))
        assert (item.text, item.original, item.held) == ("Some words.", "Some *words*.", None)


def test_the_list_may_be_json():
    listed = json.dumps([{"id": "a1", "subject": "Tea", "publish_date": None, "slug": "tea"}])
    [item] = read_all({"export/emails.json": listed, "export/emails/tea.md": "Words."})
    assert (item.title, item.read, item.date) == ("Tea", "Words.", None)


@pytest.mark.parametrize(
    ("status", "held"),
    [
        ("sent", None),
        ("imported", None),
        ("draft", Held.DRAFT),
        ("errored", Held.DRAFT),
        ("scheduled", Held.SCHEDULED),
        ("about_to_send", Held.SCHEDULED),
    ],
)
def test_what_is_not_simply_sent_waits(status, held):
    assert answer(status=status)[0].held is held


@pytest.mark.parametrize("status", ["deleted", "transactional", "suppressed"])
def test_what_is_no_letter_is_no_item(status):
    [nothing] = answer(status=status)
    assert "No posts were found" in nothing.reason


@pytest.mark.parametrize(
    ("mail", "words"),
    [
        ("<!-- buttondown-editor-mode: plaintext -->## Head\n\nSome *words*.", "Head\n\nSome words."),
        ("<!-- buttondown-editor-mode: fancy --><h2>Head</h2>\n\n*Words*", "Head\n\n*Words*"),
        ("# Tea\n\nWords.", "Words."),
        ("# Cake\n\nWords.", "Cake\n\nWords."),
    ],
)
def test_both_editors_are_known_and_only_the_subject_is_no_text(mail, words):
    assert read_all(export(mail))[0].read == words


def test_a_mail_without_a_subject_is_called_by_its_heading():
    [item] = answer(subject="", body="# Tea\n\nWords.")
    assert (item.title, item.read) == ("Tea", "Words.")


def test_a_mail_without_its_file_says_so():
    [item] = read_all({"emails.csv": TABLE, "emails/other.md": "x"})[:1]
    assert (item.external_id, item.title) == ("a1", "Tea")
    assert "its text is not in it" in item.reason


def test_a_file_that_is_not_listed_waits():
    items = read_all(export(cake="# Cake\n\nWords."))
    assert [(item.external_id, item.title, item.held) for item in items] == [
        ("a1", "Tea", None),
        ("cake", "Cake", Held.DRAFT),
    ]


def test_readers_are_never_read():
    [item] = read_all(export() | {"subscribers.csv": "email\nreader@example.org"})
    assert "example.org" not in repr(item)


def test_a_damaged_mail_is_left_out_alone():
    files = {"emails.csv": TABLE.encode(), "emails/bad.md": b"Broken", "emails/odd.md": b"\0\1", "emails/tea.md": b"x"}
    items = list(read(File.of("export.zip", damaged(stored(files), b"Broken"))))
    assert [(item.external_id, bool(item.reason)) for item in items] == [("a1", False), ("bad", True), ("odd", True)]


def test_a_list_that_breaks_off_is_said_and_all_mails_are_read():
    items = read_all(export(cake="Words.") | {"emails.csv": f"{TABLE}b2,Cake"})
    assert [item.external_id for item in items] == ["a1", "cake", "export.zip"]
    assert "damaged at line 3" in items[-1].reason


@pytest.mark.parametrize("name", ["emails.csv", "emails.json"])
def test_the_list_alone_is_not_enough(shared, name):
    [item] = read(File.at(shared / "formats" / "found" / "buttondown" / name, name))
    assert "Upload the whole export" in item.reason


@pytest.mark.parametrize(
    "files", [{"emails/a.md": "x"}, {"emails.csv": TABLE}, {"emails.csv": "a,b", "emails/a.md": "x"}]
)
def test_other_zips_are_not_taken_for_buttondown(files):
    assert not buttondown.detect(File.of("a.zip", packed(files)))


def test_the_found_export_is_read(shared):
    found = shared / "formats" / "found" / "buttondown"
    names = ["emails.csv", "emails.json", "emails/fancy-post.md", "emails/plain-post.md"]
    file = File.of("export.zip", packed({name: (found / name).read_bytes() for name in names}))
    assert importer_of(file) is buttondown
    plain, fancy = read(file)
    assert (plain.external_id, plain.title) == ("abcd1234-7fee-4942-a9cf-0de5d4ebb255", "This is a Plain Post")
    assert (fancy.title, fancy.date) == ("This is a Fancy Post", date(2023, 1, 5))
    for item in (plain, fancy):
        assert item.held is None
        assert item.read.startswith("Lorem ipsum dolor sit amet.\n\nConsectetur adipiscing elit, sed do eiusmod")
        assert {"quotation", "code", "embed"} <= {cut.rule for cut in item.cuts}
        assert "fietsstraat" not in item.read
        assert "color" not in item.read


WHOLE = stored({"emails.csv": TABLE.encode(), "emails/tea.md": b"Words."})


@settings(max_examples=50, deadline=None)
@given(at=some.integers(0, len(WHOLE)), put=some.binary(max_size=12), drop=some.integers(0, 60))
def test_whatever_happens_to_a_file_only_items_come_out(at, put, drop):
    for item in read(File.of("a.zip", WHOLE[:at] + put + WHOLE[at + drop :])):
        assert bool(item.read) != bool(item.reason)


ANY = some.recursive(
    some.none() | some.integers() | some.text(max_size=5),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(some.sampled_from(["subject", "body", "publish_date", "id"]), inner, max_size=3)
    ),
)


@settings(max_examples=50, deadline=None)
@given(value=ANY, name=some.sampled_from(["id", "subject", "publish_date", "body", "status"]))
def test_whatever_an_answer_says_only_items_come_out(value, name):
    for item in answer(**{name: value}):
        assert bool(item.read) != bool(item.reason)
