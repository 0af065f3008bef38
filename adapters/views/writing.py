"""A voice's writing: its list, one text with what is cut out of it, and all of it to take away.
Knows requests and templates. Knows nothing of how texts are read or counted."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html

from adapters import services
from adapters.forms import AddressForm, FilterForm, PasteForm, UploadForm
from adapters.importers.marked import pieces
from adapters.importers.rules import RULES
from adapters.models import ImportJob, Sample, Voice
from adapters.views.voices import find_voice

SAMPLES_A_PAGE: Final = 25


@login_required
def writing(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    form = FilterForm(request.GET, voice=voice)
    samples = form.samples().listed().select_related("like")
    context = {
        "voice": voice,
        "meter": services.measure(voice=voice),
        "page": Paginator(samples, SAMPLES_A_PAGE).get_page(request.GET.get("page")),
        "any": Sample.objects.filter(voice=voice).exists(),
        "filter": form,
        "flags": services.FLAGS,
        "latest_import": ImportJob.objects.filter(voice=voice).first(),
        "upload_form": UploadForm(),
        "address_form": AddressForm(),
    }
    return render(request, "voices/writing.html", context)


@login_required
def bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Include, leave out or delete the ticked texts, or all that the filter shows."""
    voice = find_voice(request, slug)
    back = reverse("voices:writing", args=[slug])
    if request.method != "POST":
        return redirect(back)
    query = QueryDict(request.POST.get("query", ""))
    if request.POST.get("all") == "yes":
        chosen = FilterForm(query, voice=voice).samples()
    else:
        ticked = [int(pk) for pk in request.POST.getlist("samples") if pk.isdecimal() and len(pk) < 19]
        chosen = Sample.objects.filter(voice=voice, pk__in=ticked)
    if request.POST.get("do") in {"include", "leave out"}:
        count = services.set_all_included(samples=chosen, included=request.POST["do"] == "include")
        does = "reads" if request.POST["do"] == "include" else "does not read"
        messages.success(request, f"The next training {does} {count:,} text{'' if count == 1 else 's'}.")
    return redirect(f"{back}?{query.urlencode()}" if query else back)


@login_required
def download(request: HttpRequest, slug: str) -> HttpResponse | FileResponse:
    """Every text as Markdown, in one zip."""
    voice = find_voice(request, slug)
    return FileResponse(services.as_markdown(voice=voice), as_attachment=True, filename=f"{voice.slug}.zip")


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
            _tell_flags(request, sample)
            return redirect("voices:paste", voice.slug)
    return render(request, "voices/paste.html", {"voice": voice, "form": form})


def _tell_flags(request: HttpRequest, sample: Sample) -> None:
    found = [services.FLAGS[flag].why for flag in sample.flags if flag in services.FLAGS]
    if found:
        address = reverse("voices:sample", args=[sample.voice.slug, sample.pk])
        messages.info(request, format_html('<a href="{}">Look at it</a>: {}', address, " ".join(found)))


@login_required
def sample(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    found = get_object_or_404(Sample.objects.select_related("like"), voice=voice, pk=pk)
    cuts = services.cuts_of(found)
    overruled = {*voice.kept_rules, *found.kept_rules}
    names = dict.fromkeys(cut.rule for cut in cuts)
    context = {
        "voice": voice,
        "sample": found,
        "flags": [services.FLAGS[flag] for flag in found.flags if flag in services.FLAGS],
        "pieces": [
            {"text": text, "rule": RULES.get(rule), "cut": bool(rule) and rule not in overruled}
            for text, rule in pieces(found.whole, cuts)
        ],
        "rules": [_rule(voice, found, rule) for rule in names],
    }
    return render(request, "voices/sample.html", context)


@login_required
def sample_rules(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Read what a rule cuts out after all, in this text or in all of the voice."""
    voice = find_voice(request, slug)
    found = get_object_or_404(Sample, voice=voice, pk=pk)
    rule, kept = request.POST.get("rule", ""), request.POST.get("kept") == "yes"
    if request.method == "POST" and rule in RULES:
        if request.POST.get("all") == "yes":
            services.overrule_all(voice=voice, rule=rule, kept=kept)
        else:
            services.overrule(sample=found, rule=rule, kept=kept)
    return redirect("voices:sample", slug, pk)


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


def _rule(voice: Voice, sample: Sample, rule: str) -> dict[str, Any]:
    everywhere = rule in voice.kept_rules
    return {
        "id": rule,
        "rule": RULES[rule],
        "words": services.words_cut(sample=sample, rule=rule),
        "kept": everywhere or rule in sample.kept_rules,
        "everywhere": everywhere,
    }


def _back(request: HttpRequest, slug: str, found: Sample | None = None) -> str:
    """The page of the list, or the text's own page, that the form was sent from."""
    if found and "query" not in request.POST:
        return reverse("voices:sample", args=[slug, found.pk])
    query = QueryDict(request.POST.get("query", ""))
    return reverse("voices:writing", args=[slug]) + (f"?{query.urlencode()}" if query else "")
