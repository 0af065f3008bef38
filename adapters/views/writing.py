"""A voice's writing: its list, one text beside what was brought in, and what the meter says.
Knows requests and templates. Knows nothing of how texts are read or counted."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from adapters import services
from adapters.forms import PasteForm, UploadForm
from adapters.models import ImportJob, Sample
from adapters.views.voices import find_voice

SAMPLES_A_PAGE = 25


@login_required
def writing(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    samples = Sample.objects.filter(voice=voice).defer("text", "original")
    context = {
        "voice": voice,
        "meter": services.measure(voice=voice),
        "page": Paginator(samples, SAMPLES_A_PAGE).get_page(request.GET.get("page")),
        "latest_import": ImportJob.objects.filter(voice=voice).first(),
        "upload_form": UploadForm(),
    }
    return render(request, "voices/writing.html", context)


@login_required
def paste(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    form = PasteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            sample = services.add_text(voice=voice, **form.cleaned_data)
        except services.UserError as error:
            form.add_error("text", str(error))
        else:
            messages.success(request, f"Added: {sample.words:,} words. Paste the next one, or go back to your writing.")
            return redirect("voices:paste", voice.slug)
    return render(request, "voices/paste.html", {"voice": voice, "form": form})


@login_required
def sample(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    found = get_object_or_404(Sample, voice=voice, pk=pk)
    return render(request, "voices/sample.html", {"voice": voice, "sample": found})


@login_required
def sample_include(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    found = get_object_or_404(Sample, voice=voice, pk=pk)
    if request.method == "POST":
        services.set_included(sample=found, included=request.POST.get("included") == "yes")
    return redirect(_back(request, slug, found))


@login_required
def sample_delete(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    found = get_object_or_404(Sample, voice=voice, pk=pk)
    if request.method != "POST":
        return redirect("voices:sample", slug, pk)
    services.delete_sample(sample=found)
    messages.success(request, "The text is deleted. Versions that have read it stay as they are.")
    return redirect(_back(request, slug))


def _back(request: HttpRequest, slug: str, found: Sample | None = None) -> str:
    """The page of the list, or the text's own page, that the form was sent from."""
    if found and "page" not in request.POST:
        return reverse("voices:sample", args=[slug, found.pk])
    page = request.POST.get("page", "")
    return reverse("voices:writing", args=[slug]) + (f"?page={page}" if page.isdecimal() and page != "1" else "")
