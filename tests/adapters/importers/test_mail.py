"""Mails and mailboxes: what their author wrote, without what it answers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings

from adapters.importers import File, Held, Item, archive, importer_of, mail, read, text
from adapters.importers.marked import pieces
from tests.adapters.importers.broken import only_items, spoiled
from tests.adapters.importers.zips import damaged, packed, stored

HEAD = """From: Maren Oakes <maren@example.org>
To: anne@example.org
Subject: {subject}
Date: Thu, 02 Jan 2020 23:30:00 -0800
Message-ID: <{id}@example.org>
MIME-Version: 1.0
"""


def mail_of(body: str, *, id: str = "1", subject: str = "Slack Water", more: str = "") -> bytes:
    kind = "" if "Content-Type" in more else "Content-Type: text/plain; charset=utf-8\n"
    return (HEAD.format(id=id, subject=subject) + more + kind + "\n" + body).encode()


def one(data: bytes, name: str = "a.eml") -> Item:
    [item] = read(File.of(name, data))
    return item


def cuts(item: Item) -> list[tuple[str, str]]:
    return [(part.strip(), rule) for part, rule in pieces(item.text, item.cuts) if rule]


def test_a_mail_is_a_post():
    item = one(mail_of("The ferry was late.\n\nI wrote down why."))
    assert (item.external_id, item.title, item.date, item.author, item.held) == (
        "1@example.org", "Slack Water", date(2020, 1, 2), "Maren Oakes", None,
    )  # fmt: skip
    assert item.read == "The ferry was late.\n\nI wrote down why."


@pytest.mark.parametrize(
    "subject",
    [
        "Re: Slack Water", "RE: Fwd: Slack Water", "Re[2]: AW: Slack Water", "回复：Slack Water",
        "=?utf-8?q?Slack?= Water",
    ],
)  # fmt: skip
def test_a_subject_is_a_title_without_its_marks(subject):
    assert one(mail_of("Text.", subject=subject)).title == "Slack Water"


@pytest.mark.parametrize(
    ("cut", "rule"),
    [
        ("On Mon, 30 Dec 2019 at 10:00, Anne <anne@example.org> wrote:\n> Was it late?\n>\n> Why?", "quoted mail"),
        ("On Mon, 30 Dec 2019 at 10:00, Anne Somebody\n<anne@example.org> wrote:\n> Was it late?", "quoted mail"),
        ("Am 30.12.19 um 10:00 schrieb Anne:\n> War sie spät?", "quoted mail"),
        ("> Was it late?\n\n> Why?", "quoted mail"),
        ("-----Original Message-----\nFrom: Anne\nWas it late?", "quoted mail"),
        ("---------- Forwarded message ---------\nFrom: Anne\n\nWas it late?", "quoted mail"),
        ("Begin forwarded message:\n\nWas it late?", "quoted mail"),
        ("From: Anne\nSent: Monday\nTo: Maren\nSubject: Late\n\nWas it late?", "quoted mail"),
        ("-- \nMaren Oakes\nFerry mechanic", "signature"),
        ("Sent from my iPhone", "signature"),
    ],
)
def test_quotes_and_signatures_are_cut(cut, rule):
    item = one(mail_of(f"It was late.\n\n{cut}\n"))
    assert item.read == "It was late."
    assert {found for _, found in cuts(item)} == {rule}
    assert "".join(part for part, _ in cuts(item)).split() == cut.split()


def test_what_is_written_between_quotes_stays():
    item = one(mail_of("Anne,\n\n> Was it late?\n\nIt was.\n\n> Why?\n\nThe tide.\n\n-- \nMaren\n\n> Old"))
    assert item.read == "Anne,\n\nIt was.\n\nThe tide."
    assert [rule for _, rule in cuts(item)] == ["quoted mail", "quoted mail", "signature", "quoted mail"]


def test_a_colon_at_the_end_of_a_line_is_no_quote():
    assert one(mail_of("On the ferry I wrote:\n\nNothing.")).read.endswith("Nothing.")


def test_lines_that_a_program_broke_are_joined():
    line = "The ferry was late, and I wrote down why it was late and who was on"
    assert one(mail_of(f"{line}\n{line}\nit.\n\nShort\nlines stay.")).read == f"{line} {line} it.\n\nShort\nlines stay."
    flowed = "Content-Type: text/plain; format=flowed\n"
    assert one(mail_of("The ferry \nwas late.\nIt was.\n", more=flowed)).read == "The ferry was late.\nIt was."


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("Ebbe in Cuxhaven – für Änne", "Ebbe in Cuxhaven – für Änne"),
        ("潮の満ち引き", "潮の満ち引き"),
        ("=?utf-8?b?5r2u?= =?utf-8?q?_und?= Ebbe", "潮 und Ebbe"),
        ("=?x-none?q?Slack?= Water", "=?x-none?q?Slack?= Water"),
    ],
)
def test_a_subject_is_read_as_it_was_written(subject, title):
    assert one(mail_of("A.", subject=subject)).title == title


def test_a_subject_may_be_in_an_old_encoding():
    assert one(mail_of("A.", subject="Caf?").replace(b"Caf?", b"Caf\xe9")).title == "Café"
    assert one(mail_of("A.", subject="Caf?").replace(b"Caf?", b"Caf\x00\xff")).title.startswith("Caf")


PARTS = """--x
Content-Type: text/plain; charset=utf-8

The plain text.
--x
Content-Type: text/html

<p>The HTML.</p>
--x
Content-Type: text/plain
Content-Disposition: attachment; filename="a.txt"

Attached.
--x--
"""


def test_plain_text_is_read_before_html_and_nothing_attached():
    item = one(mail_of(PARTS, more='Content-Type: multipart/mixed; boundary="x"\n'))
    assert item.read == "The plain text."
    assert "Attached" not in item.original


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        ('<div class="gmail_quote">Was it late?</div>', "quoted mail"),
        ('<blockquote type="cite">Was it late?</blockquote>', "quoted mail"),
        ('<div class="moz-cite-prefix">Anne wrote</div><blockquote type="cite">Late?</blockquote>', "quoted mail"),
        ('<div id="divRplyFwdMsg">From: Anne</div><div>Was it late?</div>', "quoted mail"),
        ('<div class="gmail_signature">Maren</div>', "signature"),
    ],
)
def test_html_mails_are_read_without_quotes_and_signatures(part, rule):
    item = one(mail_of(f"<div>It was <b>late</b>.</div>{part}", more="Content-Type: text/html\n"))
    assert item.read == "It was late."
    assert {found for _, found in cuts(item)} == {rule}


@pytest.mark.parametrize(
    ("encoding", "data"), [("iso-8859-1", b"caf\xe9"), ("x-unknown", b"caf\xc3\xa9"), ("us-ascii", b"caf\xe9")]
)
def test_a_mail_may_be_in_any_encoding(encoding, data):
    head = mail_of("", more=f"Content-Type: text/plain; charset={encoding}\n")
    assert one(head + data).read == "café"


@pytest.mark.parametrize(
    "mail",
    [
        mail_of("It was.", subject="Re: Slack Water"),
        mail_of("It was.", subject="AW: WG: Slack Water"),
        mail_of("It was.", subject="Fwd: SV: Slack Water"),
        mail_of("It was.", subject="Re (2) : Slack Water"),
        mail_of("It was.", subject="Re[2]: Slack Water"),
        mail_of("It was.", subject="Odp: Slack Water"),
        mail_of("It was.", subject="回复：Slack Water"),
        mail_of("It was.", subject="=?utf-8?b?zpHOoDo=?= Slack Water"),
        mail_of("It was.", subject="رد: Slack Water"),
        mail_of("It was.", more="In-Reply-To: <0@example.org>\n"),
        mail_of("It was.", more="References: <0@example.org> <1@example.org>\n"),
    ],
)
def test_a_mail_that_answers_somebody_waits(mail):
    assert (one(mail).held, one(mail).title, one(mail).read) == (Held.REPLY, "Slack Water", "It was.")


@pytest.mark.parametrize(
    ("subject", "title"),
    [
        ("Slack Water", "Slack Water"),
        ("Fwd: Slack Water", "Slack Water"),
        ("R: a language", "R: a language"),
        ("Rest: an essay", "Rest: an essay"),
        ("Res publica", "Res publica"),
        ("My answer: re: tides", "My answer: re: tides"),
    ],
)
def test_a_mail_that_answers_nobody_does_not_wait(subject, title):
    item = one(mail_of("It was.", subject=subject, more="In-Reply-To: \n"))
    assert (item.held, item.title) == (None, title)


def test_an_answer_by_somebody_else_or_not_yet_sent_waits_for_that():
    answer = mail_of("A.", id="3", subject="Re: A", more="X-Gmail-Labels: Drafts\n")
    data = mailbox(mail_of("One.", id="1"), other("2").replace(b"Subject: ", b"Subject: Re: "), answer)
    assert [item.held for item in read(File.of("all.mbox", data))] == [None, Held.OTHER_AUTHOR, Held.DRAFT]


def mailbox(*mails: bytes) -> bytes:
    return b"\n".join(b"From x@y Thu Jan  2 10:00:00 2020\n" + one.rstrip() + b"\n" for one in mails)


def other(id: str) -> bytes:
    return mail_of("Was it late?", id=id).replace(b"Maren Oakes <maren@example.org>", b"Anne <anne@example.org>")


def test_whoever_writes_most_is_the_author_and_others_wait():
    data = mailbox(mail_of("One.", id="1"), other("2"), mail_of("Three.\n>From here\n", id="3"))
    items = list(read(File.of("all.mbox", data)))
    assert [(item.external_id[0], item.author, item.held) for item in items] == [
        ("1", "Maren Oakes", None), ("2", "Anne", Held.OTHER_AUTHOR), ("3", "Maren Oakes", None),
    ]  # fmt: skip
    assert items[2].read == "Three.\nFrom here"
    assert not any("@" in item.author for item in items)


def test_a_mailbox_that_says_what_was_sent_is_believed():
    sent = mail_of("One.", more="X-Gmail-Labels: =?UTF-8?Q?Sent?=,Important\n")
    draft = mail_of("Two.", id="4", more="X-Gmail-Labels: Drafts\n")
    spam = mail_of("Buy.", id="5", more="X-Gmail-Labels: Spam\n")
    items = list(read(File.of("all.mbox", mailbox(other("2"), other("3"), sent, draft, spam))))
    assert [item.held for item in items] == [Held.OTHER_AUTHOR, Held.OTHER_AUTHOR, None, Held.DRAFT]


def test_a_name_may_have_a_comma_in_it():
    assert one(mail_of("A.").replace(b"Maren Oakes <", b'"Oakes, Maren" <')).authors == ("Oakes, Maren",)


def test_a_mailbox_in_what_google_packs_is_read_mail_by_mail(monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_ENTRY", 1_000)
    sent = (mail_of(f"Mail {number}.", id=f"{number}", more="X-Gmail-Labels: Sent\n") for number in range(20))
    answer = mail_of("It was.", id="answer", subject="Re: Late", more="X-Gmail-Labels: Sent\n")
    files = {
        "Takeout/archive_browser.html": "<html><body><p>What is in your archive.</p></body></html>",
        "Takeout/Mail/All mail Including Spam and Trash.mbox": mailbox(other("theirs"), *sent, answer),
        "Takeout/Mail/User Settings/Filters.json": "{}",
        "Takeout/Mail/User Settings/Vacation Responder.json": '{"title": "Away"}',
    }
    items = list(read(File.of("takeout.zip", packed(files))))
    assert [(item.held, item.reason) for item in items] == [
        (Held.OTHER_AUTHOR, ""), *[(None, "")] * 20, (Held.REPLY, ""),
    ]  # fmt: skip


def test_a_mailbox_that_breaks_off_in_a_zip_is_said(monkeypatch):
    mails = (mail_of(f"Mail {number}.", id=f"{number}") for number in range(1_000))
    items = list(read(File.of("a.zip", damaged(stored({"a.mbox": mailbox(*mails)}), b"Mail 999."))))
    assert items[-1].reason == "a.mbox in this zip is damaged. Export it again and upload it once more."


def test_an_address_without_a_name_names_nobody_in_full():
    item = one(mail_of("A.").replace(b"Maren Oakes <maren@example.org>", b"maren@example.org"))
    assert item.author == "maren"


@pytest.mark.parametrize("name", ["a.txt", "a", "a.md"])
def test_a_mail_is_known_by_what_servers_add(name):
    assert importer_of(File.of(name, mail_of("A."))) is mail
    assert importer_of(File.of(name, mailbox(mail_of("A.")))) is mail


def test_a_text_that_begins_like_a_mail_is_none():
    assert importer_of(File.of("a.txt", b"From: me\nTo: you\nSubject: love\n\nDear you.")) is text


def test_an_empty_file_says_so():
    assert "empty" in one(b"").reason


def test_a_mailbox_of_many_mails_is_read_one_by_one():
    data = mailbox(*(mail_of(f"Mail {number}.", id=f"{number}") for number in range(2_000)))
    assert len(list(read(File.of("all.mbox", data)))) == 2_000


@settings(max_examples=50, deadline=None)
@given(
    data=spoiled(
        mail_of(
            PARTS + "\nOn Monday Anne <a@b> wrote:\n> A\n-- \nB", more='Content-Type: multipart/mixed; boundary="x"\n'
        )
    )
)
def test_a_broken_mail_gives_items_or_a_sentence(data):
    only_items(mail, File.of("any.eml", data))


@settings(max_examples=50, deadline=None)
@given(data=spoiled(mailbox(mail_of("One.", id="1"), other("2"))))
def test_a_broken_mailbox_gives_items_or_a_sentence(data):
    only_items(mail, File.of("any.mbox", data))
