"""Voices: their list and overview, made, renamed, deleted. Knows requests and templates.
Knows nothing of what a voice is made from."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from adapters import services
from adapters.forms import VoiceForm
from adapters.models import TrainingJob, Version, Voice


def find_voice(request: HttpRequest, slug: str) -> Voice:
    """The asking author's voice; other people's are not found."""
    return get_object_or_404(Voice.objects.all().visible_to(request.user).select_related("owner"), slug=slug)


@login_required
def voice_list(request: HttpRequest) -> HttpResponse:
    voices = Voice.objects.all().visible_to(request.user).with_figures()
    return render(request, "voices/list.html", {"voices": voices})


@login_required
def voice_create(request: HttpRequest) -> HttpResponse:
    form = VoiceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        voice = services.create_voice(owner=request.user, name=form.cleaned_data["name"])
        return redirect("voices:writing", voice.slug)
    return render(request, "voices/create.html", {"form": form})


@login_required
def voice_detail(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    return render(
        request,
        "voices/detail.html",
        {
            "voice": voice,
            "meter": services.measure(voice=voice),
            "live": Version.objects.filter(voice=voice).live().first(),
            "active": TrainingJob.objects.filter(voice=voice).active().first(),
            "latest": TrainingJob.objects.filter(voice=voice).first(),
        },
    )


@login_required
def voice_rename(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    form = VoiceForm(request.POST or None, initial={"name": voice.name})
    if request.method == "POST" and form.is_valid():
        services.rename_voice(voice=voice, name=form.cleaned_data["name"])
        messages.success(request, f"The voice is called {voice.name} now.")
        return redirect("voices:detail", voice.slug)
    return render(request, "voices/rename.html", {"voice": voice, "form": form})


@login_required
def voice_delete(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    if request.method == "POST":
        services.delete_voice(voice=voice)
        messages.success(request, f"{voice.name} is deleted, with all of its writing, versions and drafts.")
        return redirect("voices:list")
    counts = {"samples": voice.samples.count(), "versions": voice.versions.count(), "drafts": voice.drafts.count()}
    return render(request, "voices/delete.html", {"voice": voice, **counts})
