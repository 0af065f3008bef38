"""What single tokens look like: their text and their bytes, for log-probabilities.
Knows the tokenizer. Knows nothing of requests or HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_UNREADABLE = "\ufffd"
_FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")
"""How vocabularies with byte fallback name a byte."""


def _byte_letters() -> dict[str, int]:
    """The letters by which byte-level vocabularies name bytes: printable ones name themselves, the others follow."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(0x100 + at): byte for at, byte in enumerate(others)}


_LETTERS: Final = _byte_letters()


@dataclass(frozen=True, kw_only=True)
class TokenText:
    """One token of the vocabulary."""

    text: str
    """As OpenAI writes it: bytes that are no whole characters are spelled `bytes:\\xf0\\x9f`."""
    data: bytes
    """UTF-8, perhaps only a part of a character."""
    written: bool
    """Whether it shows in texts; special tokens do not."""


class TokenTexts:
    """Not for two threads at a time: tokenizers are not."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        # Some tokenizers drop the space that begins a text: each token is read behind another one.
        self._before = list(tokenizer("a", add_special_tokens=False).input_ids[-1:])

    def of(self, token: int) -> TokenText:
        shown = self._decode(token, skip_special_tokens=False)
        data = self._bytes(token, shown)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)
        return TokenText(text=text, data=data, written=self._decode(token, skip_special_tokens=True) == shown)

    def _bytes(self, token: int, shown: str) -> bytes:
        if _UNREADABLE not in shown:
            return shown.encode()
        name = self._tokenizer.convert_ids_to_tokens(token) or ""
        if byte := _FALLBACK.fullmatch(name):
            return bytes([int(byte[1], 16)])
        if name and all(letter in _LETTERS for letter in name):
            return bytes(_LETTERS[letter] for letter in name)
        return shown.encode()

    def _decode(self, token: int, *, skip_special_tokens: bool) -> str:
        def read(ids: list[int]) -> str:
            text: str = self._tokenizer.decode(
                ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False
            )
            return text

        return read([*self._before, token])[len(read(self._before)) :]
