"""What a voice writes while it is trained, the same at every measurement, so that people see it come.
Knows which of an author's titles make good briefs. Knows nothing of how texts are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.errors import UserError
from adapters.models import Sample, Voice

MOST: Final = 3
LONGEST: Final = 200
# Everybody can write about it, and nobody's posts are about nothing else.
NEUTRAL: Final = "An ordinary morning, and what went differently than usual."


def default_briefs(*, voice: Voice) -> list[str]:
    """Two titles of the newest posts, most of which are not learned from, and one subject that is everybody's."""
    included = Sample.objects.filter(voice=voice, included=True).exclude(title="")
    titles = dict.fromkeys(title.strip()[:LONGEST] for title in included.values_list("title", flat=True)[: 2 * MOST])
    return [*list(titles)[: MOST - 1], NEUTRAL]


def checked(briefs: Sequence[str]) -> list[str]:
    """An author's own choice. Raises UserError for too many, or for one that is too long."""
    wanted = [brief for brief in (" ".join(brief.split()) for brief in briefs) if brief]
    if len(wanted) > MOST:
        raise UserError("training.too_many_briefs", count=len(wanted), limit=MOST)
    if any(len(brief) > LONGEST for brief in wanted):
        raise UserError("training.long_brief", limit=LONGEST)
    return wanted
