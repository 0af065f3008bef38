"""A voice's style: its profile, two of them side by side, and texts compared with it.
Knows requests and templates. Knows nothing of how style is measured."""

from __future__ import annotations

from itertools import groupby, islice
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from adapters import services
from adapters.models import Sample, Voice
from adapters.services import Period
from adapters.style.profile import Evidence, Profile
from adapters.style_form import CheckForm, SideForm
from adapters.views.voices import find_voice

FAVOURITES: Final = 16
"""Words, and as many phrases, that are shown."""
HABITS: Final = 5
"""Openings and endings of each kind that are shown."""


@login_required
def style(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    found = services.style_of(voice=voice)
    context: dict[str, Any] = {"voice": voice, "style": found}
    if found.profile:
        context |= _parts(found.profile, request.GET.get("over-time", ""))
        context["titles"] = _titles(voice, found.profile)
    return render(request, "voices/style.html", context)


@login_required
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two voices, two periods, or both; by default the earlier half of the years beside the later one."""
    voice = find_voice(request, slug)
    voices = list(Voice.objects.all().visible_to(request.user))
    forms = [
        SideForm(request.GET, voices=voices, prefix=prefix, shown=shown)
        for prefix, shown in zip(("one", "other"), _usual(voice, voices), strict=True)
    ]
    chosen = [form.chosen for form in forms]
    styles = [services.style_of(voice=of, period=period) for of, period in chosen]
    names = _names(chosen)
    context = {
        "voice": voice,
        "forms": forms,
        "sides": list(zip(names, styles, strict=True)),
        "same": chosen[0] == chosen[1],
        "measuring": any(found.measuring for found in styles),
        "measured": all(found.profile for found in styles),
        "differences": services.differences(styles[0], styles[1], (names[0], names[1])),
    }
    return render(request, "voices/style_compare.html", context)


@login_required
def check(request: HttpRequest, slug: str) -> HttpResponse:
    """A text beside the author's own; sent here by another page's form, it is there from the start."""
    voice = find_voice(request, slug)
    form = CheckForm(request.POST if request.method == "POST" else None)
    context = {"voice": voice, "form": form, "style": services.style_of(voice=voice)}
    if request.method == "POST" and form.is_valid():
        context |= _checked(voice, form.cleaned_data["text"])
    return render(request, "voices/style_check.html", context)


@login_required
def checked(request: HttpRequest, slug: str) -> HttpResponse:
    """The findings alone, for a text that is being typed."""
    voice = find_voice(request, slug)
    if request.method != "POST":
        return redirect("voices:style-check", slug)
    form = CheckForm(request.POST)
    context: dict[str, Any] = {"voice": voice, "form": form}
    if form.is_valid():
        context |= _checked(voice, form.cleaned_data["text"])
    return render(request, "voices/_style_checked.html", context)


def _checked(voice: Voice, text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    found = services.match_of(voice=voice, text=text)
    paragraphs = found.paragraphs if found else ()
    return {
        "match": found,
        "paragraphs": [{"text": text[each.start : each.end], "match": each} for each in paragraphs],
        "copies": services.copies_in(voice=voice, text=text),
    }


def _parts(profile: Profile, over_time: str) -> dict[str, Any]:
    """What the page shows, group by group."""
    by_key, favourites = {measured.key: measured for measured in profile.measures}, profile.favourites
    grouped: dict[str, list[Any]] = {}
    for measured in profile.measures:
        grouped.setdefault(measured.group, []).append(measured)
    dated = [key for key in by_key if any(key in year.values for year in profile.years)]
    shown = by_key.get(over_time if over_time in dated else next(iter(dated), ""))
    return {
        "profile": profile,
        "groups": list(grouped.items()),
        "favourites": [
            (
                f"Words, against general {'English' if profile.language == 'en' else 'language'}",
                [each for each in favourites if " " not in each.text][:FAVOURITES],
            ),
            ("Phrases of two to four words", [each for each in favourites if " " in each.text][:FAVOURITES]),
        ],
        "habits": [
            habit
            for _, found in groupby((*profile.openings, *profile.endings), key=lambda habit: habit.where)
            for habit in islice(found, HABITS)
        ],
        "over_time": shown,
        "choices": [by_key[key] for key in dated],
        "years": [(year, year.values.get(shown.key)) for year in profile.years] if shown else [],
    }


def _titles(voice: Voice, profile: Profile) -> dict[int, Sample]:
    """The texts that evidence is from, by their key; one that was deleted since is missing."""
    parts = (profile.measures, profile.favourites, profile.openings, profile.endings)
    shown: set[Evidence] = {each for part in parts for one in part for each in one.evidence}
    return Sample.objects.filter(voice=voice).only("pk", "title", "external_id").in_bulk({each.post for each in shown})


def _usual(voice: Voice, voices: list[Voice]) -> tuple[tuple[Voice, Period], tuple[Voice, Period]]:
    years = services.years_of(voice=voice)
    if len(years) > 1:
        middle = years[(len(years) - 1) // 2]
        return (voice, Period(last=middle)), (voice, Period(first=years[years.index(middle) + 1]))
    other = next((each for each in voices if each != voice), voice)
    return (voice, Period()), (other, Period())


def _names(chosen: list[tuple[Voice, Period]]) -> list[str]:
    """As short as tells them apart."""
    if chosen[0][0] == chosen[1][0]:
        return [str(period) for _, period in chosen]
    if chosen[0][1] == chosen[1][1] == Period():
        return [voice.name for voice, _ in chosen]
    return [f"{voice.name}, {period}" for voice, period in chosen]
