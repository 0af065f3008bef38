"""allauth's hooks. Knows how a new account gets its handle. Knows nothing of pages."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def populate_username(self, request: HttpRequest, user: User) -> None:
        user.handle = User.objects.free_handle(user.email)
