"""Mails, one (.eml) or a mailbox of them (mbox): each that its author wrote is a post.
Knows headers, parts and mailboxes, and who writes most in one. Knows nothing of what a mail quotes (see `replies`)."""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parseaddr
from typing import IO, Final

from adapters.errors import say
from adapters.importers.dates import mail_day
from adapters.importers.decode import NotText, decode, one_line, tidy
from adapters.importers.hypertext import marked as of_html
from adapters.importers.item import File, Held, Item
from adapters.importers.library import guarded
from adapters.importers.marked import Marked
from adapters.importers.replies import of_text, with_quoted_html

FORMAT: Final = "mail"
LABEL: Final = "E-mail"

LARGEST: Final = 30_000_000
"""Bytes of one mail, its attachments among them."""
_MOST_PARTS: Final = 200
_LINE: Final = 1 << 16
_FROM_LINE: Final = re.compile(rb"From \S+ .{0,60}\d{4}")
_HEADER: Final = re.compile(
    rb"(?:^|\n)(From|Date|Message-ID|Received|Subject|To|MIME-Version|Return-Path):[ \t]", re.IGNORECASE
)
# What mail programs put before a subject. Italian ones put a single letter there, which titles may begin with as well.
_ANSWERED: Final = (
    "re|aw|antw|sv|vs|ref|rif|res|odp|odg|ynt|vá|atb|απ|σχετ|на|השב|رد|回复|回覆|答复|答覆|返信|回信|답장|trả lời"
)
_FORWARDED: Final = "fwd?|wg|tr|rv|vb|vl|enc|doorst|pd|ilt|i̇lt|továbbítás|πρθ|הועבר|إعادة توجيه|转发|轉寄|転送|전달"
_MARK: Final = rf"(?:{_ANSWERED}|{_FORWARDED})\s?(?:\[\d+\]|\(\d+\))?\s?[:\uff1a]\s*"
_MARKS: Final = re.compile(rf"^(?:{_MARK})+", re.IGNORECASE)
_IS_ANSWER: Final = re.compile(rf"^(?:{_MARK})*(?:{_ANSWERED})\s?[\[(:\uff1a]", re.IGNORECASE)
_DRAFT: Final = re.compile(r"\bdrafts?\b", re.IGNORECASE)
_NOT_WRITTEN: Final = re.compile(r"\b(?:spam|trash|chat)\b", re.IGNORECASE)


def detect(file: File) -> bool:
    if file.suffix in {".eml", ".mbox"}:
        return True
    head = file.head.lstrip(b"\xef\xbb\xbf\r\n")
    top = head.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    names = {name.lower() for name in _HEADER.findall(top)}
    # A text may begin with "From:" and "Subject:"; what servers add, nobody writes by hand.
    by_server = names & {b"message-id", b"received", b"mime-version", b"return-path"}
    return (bool(_FROM_LINE.match(head)) and bool(names)) or (b"from" in names and len(names) > 2 and bool(by_server))


def items(file: File) -> Iterator[Item]:
    if not file.size:
        yield Item(external_id=file.name, reason=say("import.empty"))
        return
    own = _most_frequent(file)
    for number, raw in enumerate(_mails(file), 1):
        if len(raw) > LARGEST:
            yield Item(external_id=f"{file.name}#{number}", reason=say("import.large_document"))
            continue
        with guarded("import.unreadable"):
            item = _item(email.message_from_bytes(raw, policy=email.policy.compat32), raw, own)
        if item is not None:
            yield item


def _mails(file: File, most: int = LARGEST + 1) -> Iterator[bytes]:
    """Each mail of a mailbox, or the one that the file is; of each no more than `most` bytes."""
    with file.open() as stream:
        parts: list[bytes] = []
        length = 0
        is_mailbox = False
        after_blank = True
        for line in _lines(stream):
            if after_blank and _FROM_LINE.match(line) and (is_mailbox or not any(part.strip() for part in parts)):
                if is_mailbox and parts:
                    yield b"".join(parts)
                parts, length, is_mailbox = [], 0, True
                continue
            after_blank = line in {b"\n", b"\r\n"}
            if length < most:
                # "From " at the beginning of a line is written ">From " in mailboxes.
                parts.append(line[1:] if is_mailbox and re.match(rb">+From ", line) else line)
                length += len(line)
        if any(part.strip() for part in parts):
            yield b"".join(parts)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines, or pieces of those without an end."""
    while line := stream.readline(_LINE):
        yield line


def _most_frequent(file: File) -> str:
    """Its author's: that of what was sent where the mailbox says so, as Gmail's does, else the most frequent."""
    found: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for raw in _mails(file, most=_LINE):
        with guarded("import.unreadable"):
            mail = email.message_from_bytes(raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0] + b"\n\n")
            address = _address(mail)
            found[address] += 1
            sent[address] += "sent" in _said(mail, "X-Gmail-Labels").lower()
    best = (sent if any(sent.values()) else found).most_common(1)
    return best[0][0] if best else ""


def _item(mail: Message, raw: bytes, own: str) -> Item | None:
    labels = _said(mail, "X-Gmail-Labels")
    if _NOT_WRITTEN.search(labels):
        return None
    marked, original = _body(mail)
    if not original.strip() and not mail.keys():
        return None
    held = None
    if _address(mail) != own:
        held = Held.OTHER_AUTHOR
    elif _DRAFT.search(labels) or mail.get("X-Mozilla-Draft-Info") is not None:
        held = Held.DRAFT
    elif _answers(mail):
        held = Held.REPLY
    name, address = parseaddr(_said(mail, "From"))
    return Item(
        external_id=_said(mail, "Message-ID").strip("<> ") or hashlib.sha256(raw).hexdigest(),
        title=one_line(_MARKS.sub("", _said(mail, "Subject"))),
        date=mail_day(_said(mail, "Date")),
        # Never the address itself: other people's shall not be kept.
        authors=(name if name and "@" not in name else address.partition("@")[0],),
        text=marked.text,
        cuts=marked.cuts,
        original=original,
        held=held,
    )


def _answers(mail: Message) -> bool:
    """Whether it was written to somebody who wrote before."""
    named = any(_said(mail, name) for name in ("In-Reply-To", "References"))
    return named or bool(_IS_ANSWER.match(_said(mail, "Subject")))


def _body(mail: Message) -> tuple[Marked, str]:
    """Its text and as it came: what is plain before what is HTML, and never what is attached."""
    html = ""
    for number, part in enumerate(mail.walk()):
        if number > _MOST_PARTS:
            break
        if part.is_multipart() or part.get_content_disposition() == "attachment" or part.get_filename():
            continue
        kind = part.get_content_type()
        if kind == "text/plain" and (text := _text(part)).strip():
            flowed = str(part.get_param("format", "")).lower() == "flowed"
            return of_text(_unflowed(text) if flowed else tidy(text), is_flowed=flowed), text
        if kind == "text/html" and not html:
            html = _text(part)
    return of_html(with_quoted_html(html)), html


def _text(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        said = part.get_content_charset()
        if said and said not in {"us-ascii", "unknown-8bit"}:
            return data.decode(said).replace("\0", "")
    except (LookupError, UnicodeDecodeError, ValueError):
        pass  # mails may say what they like
    try:
        return decode(data)
    except NotText:
        return ""


def _unflowed(text: str) -> str:
    """RFC 3676: a line that ends with a space goes on in the next one."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        goes_on = bool(lines) and lines[-1].endswith(" ") and lines[-1] != "-- " and not line.startswith(">")
        if goes_on and not lines[-1].startswith(">"):
            lines[-1] += line
        else:
            lines.append(line)
    return tidy("\n".join(lines))


def _said(mail: Message, name: str) -> str:
    """A header, decoded, on one line."""
    value = next((str(value) for known, value in mail.raw_items() if known.lower() == name.lower()), "")
    try:
        if value.isascii():
            value = str(make_header(decode_header(value)))
        else:  # newer programs write letters as they are
            value = decode(value.encode("utf-8", "surrogateescape"))
    except (LookupError, ValueError):  # also what cannot be decoded
        value = value.encode("ascii", "replace").decode()
    return " ".join(value.split())


def _address(mail: Message) -> str:
    return parseaddr(_said(mail, "From"))[1].lower()
