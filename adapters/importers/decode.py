"""From bytes to text: encodings as they are found in the wild, and characters that no post needs.
Knows byte order marks and control characters. Knows nothing of formats."""

from __future__ import annotations

import codecs
import re
import unicodedata

from ftfy import fix_encoding

# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_LINE_END = re.compile(r"\r\n?|[\u2028\x85]")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+|\u2029")
# Everything below space but tab and line feed, and marks that are not seen: BOM, zero-width space, soft hyphen.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufeff\u200b\xad]")
# UTF-8 that was read as Windows-1252 and saved again: “â€™” for an apostrophe, “Ã©” for é, “Â£” for £.
_MISREAD = re.compile(
    "â(?:€[\x80-\x9f™œ“”˜¦¢š›¡º°-]|[\x80-\x9f†‚„][\x80-\xbf™œ“”˜])|Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|Â[\xa0-\xbf]"
)
_ABOUT_ENCODINGS = re.compile(
    r"\b(?:mojibake|utf-?8|unicode|latin-?1|encodings?|windows-1252|iso-8859)\b", re.IGNORECASE
)
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class NotText(ValueError):
    """These bytes are no text in any encoding that is known here."""


def decode(data: bytes) -> str:
    """The text of a file: by its byte order mark, else UTF-8, else Windows-1252. Raises NotText."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    for encoding in [marked] if marked else ["utf-8", "cp1252"]:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        # Windows-1252 gives a meaning to nearly every byte: pictures decode too, and show by their control characters.
        if "\0" in text or len(_CONTROL.findall(text)) * 100 > len(text):
            break
        return repaired(text)
    raise NotText("neither UTF-8, UTF-16 nor Windows-1252")


def repaired(text: str) -> str:
    """`text` as it was before a program misread its encoding, where that is clearly what happened.

    It is clear where most of what is beyond ASCII looks like it, and the text is not about encodings: some writers
    show such characters on purpose.
    """
    if text.isascii():
        return text
    misread = _MISREAD.findall(text)
    if not misread or _ABOUT_ENCODINGS.search(text):
        return text
    others = sum(not letter.isascii() for letter in text) - sum(map(len, misread))
    if others > len(misread) if len(misread) > 1 else others:
        return text
    return "\n".join(fix_encoding(line) if _MISREAD.search(line) else line for line in text.split("\n"))


def tidy(text: str) -> str:
    """Paragraphs with one blank line between them, composed characters, nothing unseen, nothing at the line ends."""
    text = _UNSEEN.sub("", _LINE_END.sub("\n", unicodedata.normalize("NFC", text)))
    paragraphs = (
        "\n".join(line.rstrip() for line in part.strip("\n").split("\n")) for part in _BLANK_LINES.split(text)
    )
    return "\n\n".join(part for part in paragraphs if part).strip()


def one_line(text: str, most: int = 300) -> str:
    """A title: on one line, cut to `most` characters."""
    return " ".join(_UNSEEN.sub("", text).split())[:most].strip()
