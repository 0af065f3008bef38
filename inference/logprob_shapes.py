"""Log-probabilities in OpenAI's two shapes, a chat's and a completion's.
Knows which token stands where in the text. Knows nothing of tokenizers or of the rest of the answer."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from typing import Any, Final

from inference.engine.types import TokenLogprobs
from inference.token_texts import TokenText

_LEAST: Final = -9999.0
"""What stands for nothing at all, as in vLLM: JSON has no infinity."""


class LogprobShapes:
    """Of one text, piece after piece: `shape` goes on where the last one ended."""

    def __init__(self, *, chat: bool) -> None:
        self._chat = chat
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")
        self._at = 0

    def shape(
        self, tokens: Sequence[int], logprobs: Sequence[TokenLogprobs], texts: Mapping[int, TokenText]
    ) -> dict[str, Any]:
        """`texts` holds every token that is named. One of `logprobs` for each of `tokens`."""
        told = list(zip((texts[token] for token in tokens), logprobs, strict=True))
        if self._chat:
            content = [
                {
                    **_described(token, there.logprob),
                    "top_logprobs": [_described(texts[other], logprob) for other, logprob in there.top],
                }
                for token, there in told
            ]
            return {"content": content, "refusal": None}
        return {
            "text_offset": [self._advance(token) for token, _ in told],
            "token_logprobs": [_finite(there.logprob) for _, there in told],
            "tokens": [token.text for token, _ in told],
            "top_logprobs": [_by_text(token, there, texts) for token, there in told],
        }

    def _advance(self, token: TokenText) -> int:
        """Where `token` begins. The parts of a character all begin where it does."""
        if token.data and not 0x80 <= token.data[0] < 0xC0:
            # A new character begins: one that is still open never comes, and the text has a mark in its place.
            self._at += len(self._characters.decode(b"", final=True))
        at = self._at
        if token.written:
            self._at += len(self._characters.decode(token.data))
        return at


def _described(token: TokenText, logprob: float) -> dict[str, Any]:
    return {"token": token.text, "logprob": _finite(logprob), "bytes": list(token.data)}


def _by_text(chosen: TokenText, there: TokenLogprobs, texts: Mapping[int, TokenText]) -> dict[str, float]:
    """The likeliest ones, and the chosen one even where it is none of them."""
    found: dict[str, float] = {}
    for text, logprob in [
        *((texts[token].text, logprob) for token, logprob in there.top),
        (chosen.text, there.logprob),
    ]:
        found.setdefault(text, _finite(logprob))  # of two tokens that read the same, the likelier
    return found


def _finite(logprob: float) -> float:
    # Not max(): an adapter with absurd weights makes what is no number.
    return logprob if logprob > _LEAST else _LEAST
