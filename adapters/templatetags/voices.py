"""Figures of voices in the words that sentences use. Knows formats. Knows nothing of where figures come from."""

from __future__ import annotations

import json

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from adapters import services, story
from adapters.services import versions

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
