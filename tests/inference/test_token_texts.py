"""Single tokens as text and bytes, in vocabularies of different kinds, and where they stand in a text."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from inference.engine.types import TokenLogprobs
from inference.logprob_shapes import LogprobShapes
from inference.token_texts import TokenText, TokenTexts
from tests.inference import tiny


def sentence_pieces() -> PreTrainedTokenizerFast:
    """As Llama 2's: pieces that begin with a space, and bytes for whatever has no piece."""
    pieces = ["<unk>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "▁a", "▁the", "the"]
    raw = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], byte_fallback=True))
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                     decoders.Strip(" ", 1, 0)])  # fmt: skip
    return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>", unk_token="<unk>")


@pytest.fixture(params=[tiny.tokenizer, sentence_pieces], ids=["bytes as letters", "pieces and bytes"])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.mark.parametrize("text", ["A word", "naïve", "🦊 and 東京", "tab\tand\nline"])
def test_the_bytes_of_a_texts_tokens_are_its_bytes(tokenizer: Any, text: str) -> None:
    texts = TokenTexts(tokenizer)
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert b"".join(texts.of(token).data for token in ids).decode().strip() == text


def test_parts_of_characters_are_spelled_as_openai_spells_them(tokenizer: Any) -> None:
    texts = TokenTexts(tokenizer)
    parts = [texts.of(token) for token in tokenizer("é", add_special_tokens=False).input_ids]
    assert [part.text for part in parts][-2:] == ["bytes:\\xc3", "bytes:\\xa9"]
    assert [part.data for part in parts][-2:] == [b"\xc3", b"\xa9"]


def test_the_space_that_begins_a_piece_stays() -> None:
    tokenizer = sentence_pieces()
    assert TokenTexts(tokenizer).of(tokenizer.convert_tokens_to_ids("▁the")).text == " the"


def test_special_tokens_are_named_but_not_written(tokenizer: Any) -> None:
    end = TokenTexts(tokenizer).of(tokenizer.eos_token_id)
    assert (end.text, end.written) == (tokenizer.eos_token, False)


@pytest.mark.model
def test_every_token_of_the_starter_model_has_a_text_of_its_bytes(starter: tuple[Any, Any]) -> None:
    texts, tokenizer = TokenTexts(starter[1]), starter[1]
    for token in range(0, len(tokenizer), 7):
        found = texts.of(token)
        assert found.text.startswith("bytes:") or found.text.encode() == found.data
    line = " Rain fell on the tin roof, naïvely: 🦊."
    ids = tokenizer(line, add_special_tokens=False).input_ids
    assert b"".join(texts.of(token).data for token in ids).decode() == line


def offsets(*tokens: bytes, special: bytes = b"") -> list[int]:
    texts = {
        number: TokenText(text=repr(data), data=data, written=data != special) for number, data in enumerate(tokens)
    }
    told = [TokenLogprobs(logprob=-1.0) for _ in tokens]
    shape = LogprobShapes(chat=False).shape(list(texts), told, texts)
    found: list[int] = shape["text_offset"]
    return found


def test_tokens_stand_where_their_character_begins() -> None:
    assert offsets(b"na", b"\xc3", b"\xaf", b"ve", " 東".encode(), b".") == [0, 2, 2, 3, 5, 7]


def test_a_character_that_never_comes_leaves_a_mark() -> None:
    assert offsets(b"a", b"\xe1", b"b", b"c") == [0, 1, 2, 3]


def test_special_tokens_take_no_room() -> None:
    assert offsets(b"a", b"<end>", b"b", special=b"<end>") == [0, 1, 1]


def test_what_json_cannot_say_becomes_a_very_small_number() -> None:
    texts = {0: TokenText(text="a", data=b"a", written=True)}
    for value in (float("-inf"), float("nan")):
        shape = LogprobShapes(chat=False).shape([0], [TokenLogprobs(logprob=value, top=((0, value),))], texts)
        assert (shape["token_logprobs"], shape["top_logprobs"]) == ([-9999.0], [{"a": -9999.0}])
