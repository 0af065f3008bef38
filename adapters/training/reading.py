"""Reading: what exactly a voice has read, from its manifest and the posts. The answer to "what was it trained on?".
Knows the manifest's data and the windows. Knows nothing of models or of where manifests are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from adapters.training.dataset import hash_of, text_hash
from adapters.training.paragraphs import plain
from adapters.training.posts import Post
from adapters.training.windows import Source, Window, window

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


FORMAT: Final = 2
"""Of manifests. The first had no rules, and no hash of each text."""


@dataclass(frozen=True, kw_only=True)
class Passage:
    """What one window has shown the model."""

    source: Source
    """Post, paragraphs and rules."""
    given: str
    """Text that was read and not learned."""
    learned: str
    """Text that was learned."""


def passages(manifest: Mapping[str, Any], posts: Sequence[Post]) -> list[Passage]:
    """The text of every window, in the order of the manifest, character for character as it was read.

    Raises ValueError naming a post that is not among `posts`, or whose title or text is not what it was.
    """
    texts = _posts(manifest, posts)
    found = []
    for source in _sources(manifest):
        text = texts[source.post].text
        given, learned = text[source.opening : source.start], text[source.start : source.end]
        found.append(Passage(source=source, given=given if source.kind == "continuation" else "", learned=learned))
    return found


def rows(manifest: Mapping[str, Any], posts: Sequence[Post], tokenizer: PreTrainedTokenizerBase) -> list[Window]:
    """The rows of training themselves, token for token.

    Raises ValueError as `passages` does, and for another tokenizer or prompt format.
    """
    texts = _posts(manifest, posts)
    found = [window(texts[source.post], source, tokenizer) for source in _sources(manifest)]
    held_out = [texts[number] for number in manifest["data"]["held_out_posts"]]
    if hash_of(found, held_out) != manifest["data"]["hash"]:
        raise ValueError("tokenizer: it or the prompt format is not what it was when the voice was trained")
    return found


def _posts(manifest: Mapping[str, Any], posts: Sequence[Post]) -> dict[int, Post]:
    if manifest["format"] != FORMAT:
        raise ValueError(f"manifest: format {manifest['format']} cannot be read, only {FORMAT}")
    found = {post.id: replace(post, text=plain(post.text)) for post in posts}
    for number, expected in manifest["data"]["texts"].items():
        if int(number) not in found:
            raise ValueError(f"posts: post {number} is missing")
        if text_hash(found[int(number)]) != expected:
            raise ValueError(f"posts: post {number} is not what it was when the voice was trained")
    return found


def _sources(manifest: Mapping[str, Any]) -> list[Source]:
    return [
        Source(
            post=window["post"],
            kind=window["prompt"],
            first_paragraph=window["paragraphs"][0],
            last_paragraph=window["paragraphs"][1],
            opening=window["characters"][0],
            start=window["characters"][1],
            end=window["characters"][2],
            rules=tuple(window["rules"]),
        )
        for window in manifest["data"]["windows"]
    ]
