"""Imports: files sent in, and how far the reading of them is. Knows requests and templates.
Knows nothing of formats."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from adapters import services
from adapters.forms import UploadForm
from adapters.models import ImportItem, ImportJob
from adapters.views.voices import find_voice


@login_required
def upload(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            job = services.start_import(voice=voice, uploads=form.cleaned_data["uploads"])
            return redirect("voices:import", voice.slug, job.pk)
    return render(request, "voices/upload.html", {"voice": voice, "upload_form": form})


@login_required
def import_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """While it runs, the page asks for itself every second."""
    voice = find_voice(request, slug)
    job = get_object_or_404(ImportJob, voice=voice, pk=pk)
    items = ImportItem.objects.filter(job=job)
    counts = items.aggregate(
        total=Count("pk"),
        imported=Count("pk", filter=Q(state=ImportItem.State.IMPORTED)),
        skipped=Count("pk", filter=Q(state=ImportItem.State.SKIPPED)),
    )
    context = {
        "voice": voice,
        "job": job,
        **counts,
        "read": counts["imported"] + counts["skipped"],
        "left_out": items.filter(state=ImportItem.State.SKIPPED),
        "kept": items.filter(state=ImportItem.State.IMPORTED).select_related("sample")
        if job.state == ImportJob.State.FINISHED
        else [],
    }
    return render(request, "voices/import.html", context)
