"""Training: the button, jobs, versions. Knows requests and templates.
Knows nothing of how a job runs, or of its stream of events."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from adapters import services, story
from adapters.forms import BriefsForm
from adapters.models import TrainingJob, Version, Voice
from adapters.training.recipe import Recipe, in_words
from adapters.views.voices import find_voice

JOBS_SHOWN = 20


@login_required
def training(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    meter = services.measure(voice=voice)
    jobs = TrainingJob.objects.filter(voice=voice)
    active = jobs.active().first()
    context = {
        "voice": voice,
        "meter": meter,
        "active": active,
        "standing": services.standing(job=active) if active else None,
        "recipe": _recipe_in_words(voice, meter),
        "briefs_form": _briefs_form(voice),
        "versions": Version.objects.filter(voice=voice).select_related("job"),
        "jobs": jobs.filter(state=TrainingJob.State.FINISHED).select_related("version")[:JOBS_SHOWN],
    }
    return render(request, "voices/training.html", context)


@login_required
def train(request: HttpRequest, slug: str) -> HttpResponse:
    voice = find_voice(request, slug)
    if request.method == "POST":
        form = BriefsForm(request.POST)
        briefs = form.cleaned_data["briefs"].splitlines() if form.is_valid() else []
        try:
            job = services.submit_training(voice=voice, by=request.user, briefs=briefs)
        except services.UserError as error:
            messages.error(request, str(error))
        else:
            return redirect("voices:job", voice.slug, job.pk)
    return redirect("voices:training", voice.slug)


@login_required
def job_detail(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Everything that is known so far; the page's script goes on from the last event."""
    voice = find_voice(request, slug)
    job = get_object_or_404(TrainingJob.objects.select_related("version"), voice=voice, pk=pk)
    told = story.tell(job.events.order_by("seq"))
    context = {
        "voice": voice,
        "job": job,
        "story": told,
        "standing": services.standing(job=job),
        "days_kept": settings.CHECKPOINT_DAYS,
        "recipe": in_words(Recipe.from_dict(job.recipe)),
        "number": TrainingJob.objects.filter(voice=voice, pk__lte=job.pk).count(),
    }
    return render(request, "voices/job.html", context)


@login_required
def job_cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    job = get_object_or_404(TrainingJob, voice=voice, pk=pk)
    if request.method == "POST":
        services.cancel_training(job=job)
    return redirect("voices:job", voice.slug, job.pk)


@login_required
def job_continue(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    voice = find_voice(request, slug)
    job = get_object_or_404(TrainingJob, voice=voice, pk=pk)
    if request.method == "POST":
        try:
            services.continue_training(job=job)
        except services.UserError as error:
            messages.error(request, str(error))
    return redirect("voices:job", voice.slug, job.pk)


@login_required
def version_live(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    voice = find_voice(request, slug)
    version = get_object_or_404(Version, voice=voice, number=number)
    if request.method == "POST":
        try:
            services.make_live(version=version)
        except services.UserError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"Version {version.number} writes from now on.")
    return redirect("voices:training", voice.slug)


def _briefs_form(voice: Voice) -> BriefsForm | None:
    if not settings.TRAINING_SAMPLES:
        return None
    return BriefsForm(initial={"briefs": "\n".join(services.default_briefs(voice=voice))})


def _recipe_in_words(voice: Voice, meter: services.Meter) -> str:
    try:
        return in_words(services.expected_recipe(tokens=meter.tokens, voice=voice))
    except services.UserError:
        return ""  # without a base model the button says so
