"""What templates of drafting need beside Django's own. Knows the prompt format. Knows no pages."""

import json

from django import template

from adapters.training.prompts import messages_for_brief

register = template.Library()


@register.filter
def as_messages(brief: str) -> str:
    """The chat messages that ask for `brief` as voices are trained to be asked, as JSON."""
    return json.dumps(messages_for_brief(brief), ensure_ascii=False)
