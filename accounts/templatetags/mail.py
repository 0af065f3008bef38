"""What a page may say about the site's mail. Knows the mail settings. Knows no mail."""

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def mail_is_printed() -> bool:
    """Whether mail goes to the terminal in which the site runs, and to nobody's mailbox."""
    return bool(settings.EMAIL_BACKEND == "django.core.mail.backends.console.EmailBackend")
