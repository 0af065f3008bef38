"""Forms of the settings page, and allauth's own without the placeholders that repeat their labels.
Knows which input makes sense. Knows nothing of how it is stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from allauth.account import forms as allauth
from django import forms
from django.utils import timezone

from accounts.models import User


class ProfileForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ["name", "handle"]
        labels = {"name": "Name"}
        help_texts = {"name": "How the site addresses you. Nobody else sees it.", "handle": ""}
        error_messages = {"handle": {"unique": "Somebody else has this handle: choose another one."}}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "handle": forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
        }


class ApiKeyForm(forms.Form):
    NEVER = 0

    name = forms.CharField(
        max_length=80,
        label="What is it for?",
        help_text="A name that you will know it by: the program that uses it, or the machine.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Give the key a name: it is how you will know it again."},
    )
    days = forms.TypedChoiceField(
        coerce=int,
        choices=[(30, "After 30 days"), (90, "After 90 days"), (365, "After a year"), (NEVER, "Never")],
        initial=365,
        label="Expires",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The profile's form stands on the same page and has a name too: a label must point at its own field.
        super().__init__(*args, auto_id="key_%s", **kwargs)

    def expires_at(self) -> datetime | None:
        days: int = self.cleaned_data["days"]
        return None if days == self.NEVER else timezone.now() + timedelta(days=days)


class WithoutPlaceholders:
    """Every field of these pages has a label that stays while one types."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():  # type: ignore[attr-defined]
            field.widget.attrs.pop("placeholder", None)


class SignupForm(WithoutPlaceholders, allauth.SignupForm):
    pass


class LoginForm(WithoutPlaceholders, allauth.LoginForm):
    pass


class AddEmailForm(WithoutPlaceholders, allauth.AddEmailForm):
    pass


class ChangePasswordForm(WithoutPlaceholders, allauth.ChangePasswordForm):
    pass


class SetPasswordForm(WithoutPlaceholders, allauth.SetPasswordForm):
    pass


class ResetPasswordForm(WithoutPlaceholders, allauth.ResetPasswordForm):
    pass


class ResetPasswordKeyForm(WithoutPlaceholders, allauth.ResetPasswordKeyForm):
    pass


class ReauthenticateForm(WithoutPlaceholders, allauth.ReauthenticateForm):
    pass
