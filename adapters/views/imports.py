"""Imports: files sent in, how far the reading of them is, and what of the found posts is taken.
Knows requests and templates. Knows nothing of formats."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from adapters import services, sources
from adapters.forms import AddressForm, UploadForm
from adapters.models import ImportFile, ImportItem, ImportJob
from adapters.views.voices import find_voice

State = ImportItem.State
ITEMS_A_PAGE: Final = 50
LEFT_OUT_SHOWN: Final = 200


@login_required
def upload(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST":
        form = UploadForm(request.POST, request.FILES)
        if form.is_valid():
            job = services.start_import(voice=voice, uploads=form.cleaned_data["uploads"])
            return redirect("voices:import", voice.slug, job.pk)
    return render(request, "voices/upload.html", {"voice": voice, "upload_form": form, "address_form": AddressForm()})


@login_required
def import_address(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    form = AddressForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            job = services.start_import_from(voice=voice, address=form.cleaned_data["address"])
        except services.UserError as error:
            form.add_error("address", str(error))
        else:
            return redirect("voices:import", voice.slug, job.pk)
    context = {"voice": voice, "upload_form": UploadForm(), "address_form": form}
    return render(request, "voices/upload.html", context)


@login_required
def import_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """While it runs, the page asks for itself every second."""
    voice = find_voice(request, slug)
    job = get_object_or_404(ImportJob, voice=voice, pk=pk)
    files = ImportFile.objects.filter(job=job)
    context: dict[str, Any] = {
        "voice": voice,
        "job": job,
        "files": files.aggregate(total=Count("pk"), read=Count("pk", filter=Q(done=True))),
        "found": _counts(job),
    }
    if job.state == ImportJob.State.FINISHED:
        context |= _outcome(request, job)
    return render(request, "voices/import.html", context)


@login_required
def import_take(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    job = get_object_or_404(ImportJob, voice=voice, pk=pk)
    if request.method == "POST" and job.state == ImportJob.State.FINISHED:
        ticked = [int(item) for item in request.POST.getlist("items") if item.isdecimal() and len(item) < 19]
        taken = services.take_in(job=job, items=ticked)
        said = f"{taken:,} text{'' if taken == 1 else 's'} added." if ticked else "Tick the posts that are to be added."
        messages.success(request, said)
    return redirect("voices:import", slug, pk)


@login_required
def import_authors(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    job = get_object_or_404(ImportJob, voice=voice, pk=pk)
    if request.method == "POST" and job.state == ImportJob.State.FINISHED:
        known = {name for name, _ in services.authors_of(job)}
        chosen = known & set(request.POST.getlist("authors"))
        if chosen:
            services.choose_authors(job=job, authors=chosen)
            messages.success(request, "The posts of the ticked authors are in your writing now.")
        else:
            messages.error(request, "Tick at least one author.")
    return redirect("voices:import", slug, pk)


def _counts(job: ImportJob) -> dict[str, int]:
    of = {state: Count("pk", filter=Q(state=state)) for state in State.values}
    return ImportItem.objects.filter(job=job).aggregate(total=Count("pk"), **of)


def _outcome(request: HttpRequest, job: ImportJob) -> dict[str, Any]:
    items = ImportItem.objects.filter(job=job).defer("content")
    waiting = items.filter(state=State.FOUND)
    groups = [
        {"held": held, "title": title, "why": why, "items": found}
        for held, (title, why) in sources.HELD.items()
        if (found := list(waiting.filter(held=held)))
    ]
    authors = services.authors_of(job)
    taken = items.filter(state__in=ImportItem.TAKEN).select_related("sample")
    return {
        "groups": groups,
        "authors": authors if len(authors) > 1 else [],
        "left_out": items.filter(state=State.SKIPPED)[:LEFT_OUT_SHOWN],
        "page": Paginator(taken, ITEMS_A_PAGE).get_page(request.GET.get("page")),
    }
