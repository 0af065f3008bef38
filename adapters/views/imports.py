"""Imports: files sent in, how far the reading of them is, and what of the found posts is taken.
Knows requests and templates. Knows nothing of formats."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Case, Count, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from adapters import services, sources
from adapters.forms import AddressForm, UploadForm
from adapters.models import ImportFile, ImportItem, ImportJob
from adapters.views.voices import find_voice

State = ImportItem.State
ITEMS_A_PAGE: Final = 50
HELD_A_PAGE: Final = 100
LEFT_OUT_SHOWN: Final = 200
AUTHORS_SHOWN: Final = 100


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
        if not services.take_in(job=job, items=ticked, held=request.POST.getlist("all")):
            messages.error(request, "Tick the posts that are to be added.")
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
        else:
            messages.error(request, "Tick at least one author.")
    return redirect("voices:import", slug, pk)


def _counts(job: ImportJob) -> dict[str, int]:
    """Items by state, and how many of those that nothing holds are done: `settled` of `asked`."""
    waits, goes = Q(state=State.FOUND, held=""), Q(state=State.IMPORTED) & ~Q(held="")
    of = {state.value: Q(state=state) for state in State}
    of |= {"to_do": waits | goes, "held": Q(state=State.FOUND) & ~Q(held="")}
    counts = {name: Count("pk", filter=which) for name, which in of.items()}
    found = ImportItem.objects.filter(job=job).aggregate(total=Count("pk"), **counts)
    asked = found["total"] - found["held"]
    return {**found, "asked": asked, "settled": asked - found["to_do"]}


def _outcome(request: HttpRequest, job: ImportJob) -> dict[str, Any]:
    items = ImportItem.objects.filter(job=job).defer("content")
    authors = services.authors_of(job)
    # A mailbox names everybody who has ever written: who wrote most comes first.
    shown = authors[:AUTHORS_SHOWN] + [author for author in authors[AUTHORS_SHOWN:] if author[0] in job.authors]
    taken = items.filter(state__in=ImportItem.TAKEN).select_related("sample")
    return {
        **_held(request, items.filter(state=State.FOUND)),
        "authors": shown if len(shown) > 1 else [],
        "left_out": items.filter(state=State.SKIPPED)[:LEFT_OUT_SHOWN],
        "page": Paginator(taken, ITEMS_A_PAGE).get_page(request.GET.get("page")),
    }


def _held(request: HttpRequest, waiting: QuerySet[ImportItem]) -> dict[str, Any]:
    """A page of what can be ticked in, by what holds it back: boxes by the thousand are no page, and no form that is
    accepted when it comes back."""
    counts = dict(waiting.order_by("held").values_list("held").annotate(Count("pk")))
    place = Case(*(When(held=held, then=place) for place, held in enumerate(sources.HELD)), default=len(sources.HELD))
    page = Paginator(waiting.order_by(place, "pk"), HELD_A_PAGE).get_page(request.GET.get("waiting"))
    groups = [
        {"held": held, "title": title, "why": why, "items": found, "count": counts[held]}
        for held, (title, why) in sources.HELD.items()
        if (found := [item for item in page if item.held == held])
    ]
    return {"groups": groups, "waiting": page}
