"""The settings page: profile and API keys. Knows which form was sent and what to show after it.
Knows nothing of how keys are made, or of signing up and logging in (allauth's pages)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts import services
from accounts.forms import ApiKeyForm, ProfileForm
from accounts.models import ApiKey, User


@login_required
def settings(request: HttpRequest) -> HttpResponse:
    # A row of its own: a form that is not valid writes into its instance all the same.
    form = ProfileForm(request.POST or None, instance=User.objects.get(pk=request.user.pk))
    if request.method == "POST" and form.is_valid():
        services.update_profile(user=request.user, **form.cleaned_data)
        messages.success(request, "Your profile is saved.")
        return redirect("accounts:settings")
    return render(request, "accounts/settings.html", _page(request, profile_form=form))


@login_required
@never_cache
def key_create(request: HttpRequest) -> HttpResponse:
    """Answers with the page itself, not with a redirect: the key would have to be kept to be shown after one."""
    if request.method != "POST":
        return redirect("accounts:settings")
    form, text = ApiKeyForm(request.POST), None
    if form.is_valid():
        _, text = services.create_api_key(
            owner=request.user, name=form.cleaned_data["name"], expires_at=form.expires_at()
        )
        form = ApiKeyForm()
    return render(request, _template(request), _page(request, key_form=form, new_key=text))


@login_required
def key_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.visible_to(request.user), pk=pk)
    if request.method == "POST":
        services.revoke_api_key(key=key)
        messages.success(request, f"The key “{key.name}” is revoked. Programs that use it are refused from now on.")
        if request.htmx:
            return render(request, "accounts/_keys.html", _page(request))
    return redirect("accounts:settings")


def _template(request: HttpRequest) -> str:
    return "accounts/_keys.html" if request.htmx else "accounts/settings.html"


def _page(request: HttpRequest, **own: Any) -> dict[str, Any]:
    user = request.user
    voice = user.voices.first()
    return {
        "profile_form": ProfileForm(instance=user),
        "key_form": ApiKeyForm(),
        "keys": ApiKey.objects.visible_to(user).filter(revoked_at=None),
        "now": timezone.now(),
        "model": voice.api_name if voice else f"{user.handle}/your-voice",
        **own,
    }
