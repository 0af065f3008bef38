"""Spec: what a training job is asked to do, as it travels from the site to the trainer's process.
Knows its fields and their JSON. Knows nothing of pipes, queues or models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from adapters.training.posts import Post
from adapters.training.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Spec:
    """One voice to train."""

    posts: Sequence[Post]
    """The author's included writing."""
    recipe: Recipe
    """How."""
    voice: str
    """What the manifest calls it."""
    out: Path
    """Folder that the finished adapter is written into."""
    checkpoint: Path | None = None
    """Folder that training is saved in and goes on from; None saves nothing. No other place is written to."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the caller's own for the manifest."""
    sample_briefs: Sequence[str] = ()
    """Briefs that a short text is written to at every evaluation, so that people can see the voice come."""
    texts: int = 0
    """How many long texts the finished voice writes to be judged by (see `adapters.training.assess`)."""
    other_voice: Path | None = None
    """Folder of another author's adapter on the same base, to compare with."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "posts": [
                {**asdict(post), "date": post.date.isoformat() if post.date else None, "flags": list(post.flags)}
                for post in self.posts
            ],
            "recipe": self.recipe.as_dict(),
            "voice": self.voice,
            "out": str(self.out),
            "checkpoint": str(self.checkpoint) if self.checkpoint else None,
            "manifest": dict(self.manifest),
            "sample_briefs": list(self.sample_briefs),
            "texts": self.texts,
            "other_voice": str(self.other_voice) if self.other_voice else None,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Spec:
        """The inverse of `as_dict`. Raises ValueError naming a field that is missing or wrong."""
        try:
            return cls(
                posts=tuple(_post(post) for post in values["posts"]),
                recipe=Recipe.from_dict(values["recipe"]),
                voice=str(values["voice"]),
                out=Path(values["out"]),
                checkpoint=Path(values["checkpoint"]) if values.get("checkpoint") else None,
                manifest=dict(values.get("manifest") or {}),
                sample_briefs=tuple(values.get("sample_briefs") or ()),
                texts=int(values.get("texts") or 0),
                other_voice=Path(values["other_voice"]) if values.get("other_voice") else None,
            )
        except KeyError as error:
            raise ValueError(f"spec: field {error} is missing") from error
        except TypeError as error:
            raise ValueError(f"spec: {error}") from error


def _post(values: Mapping[str, Any]) -> Post:
    day = values.get("date")
    return Post(
        id=int(values["id"]),
        title=str(values["title"]),
        text=str(values["text"]),
        date=date.fromisoformat(day) if day else None,
        voice=values.get("voice"),
        flags=tuple(values.get("flags") or ()),
        cleaning=str(values.get("cleaning") or ""),
    )
