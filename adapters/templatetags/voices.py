"""Figures of voices in the words that sentences use. Knows formats. Knows nothing of where figures come from."""

from __future__ import annotations

import json
from urllib.parse import quote

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from adapters import services, story
from adapters.models import Sample, Voice
from adapters.services import versions
from adapters.style.plainly import as_often, figure
from adapters.style.profile import Favourite

register = template.Library()

register.filter("percent", versions.percent)


register.filter("change", story.change)
register.filter("writers", story.writers)
register.filter("json", json.dumps)


@register.simple_tag
def flag_name(flag: str) -> str:
    """What authors call it."""
    found = services.FLAGS.get(flag)
    return found.name if found else flag


@register.simple_tag
def title_of(sample: object) -> SafeString:
    """A text's title, or the first words of one that has none."""
    title = getattr(sample, "title", "")
    if title:
        return conditional_escape(title)
    return format_html('<span class="soft">{}</span>', getattr(sample, "external_id", "") or "Untitled")


@register.simple_tag
def measured(value: float | None, unit: str) -> str:
    """A figure with its unit, as people write it."""
    if value is None:
        return "–"
    if unit == "grade":
        return f"grade {figure(value)}"
    shown = figure(value)
    return f"{shown} {unit.removesuffix('s') if shown == '1' else unit}"


@register.simple_tag
def place_of(voice: Voice, sample: Sample, words: str) -> str:
    """The address of a text's page; browsers show these words of it, if they are found there."""
    shown = " ".join(words.split())
    begin, end = shown[:60].rsplit(" ", 1)[0], shown[-40:].split(" ", 1)[-1]
    fragment = quote(shown, safe="") if len(shown) <= 80 else f"{quote(begin, safe='')},{quote(end, safe='')}"
    # A dash would part the words from their context.
    return f"{reverse('voices:sample', args=[voice.slug, sample.pk])}#:~:text={fragment.replace('-', '%2D')}"


@register.filter
def item(things: dict[int, Sample], key: int) -> Sample | None:
    """What stands under a key."""
    return things.get(key)


@register.simple_tag
def often(word: Favourite) -> str:
    """How often it is used, against general language."""
    return as_often(word.per_10_000 / word.general_per_10_000) if word.general_per_10_000 else ""


@register.simple_tag
def share_of(part: float) -> str:
    """A share in a table: whole from one percent up."""
    return f"{100 * part:.0f} %" if part == 0 or part >= 0.01 else "<1 %"
