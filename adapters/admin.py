"""Voices, writing, imports, training and versions in the admin. Knows what staff may see and which jobs they may move.
Knows nothing of how: the services do."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils.html import format_html

from adapters import services
from adapters.models import ImportFile, ImportItem, ImportJob, Sample, TrainingEvent, TrainingJob, Version, Voice
from adapters.recipe_form import RecipeForm
from adapters.services.versions import percent
from adapters.training.recipe import Recipe, in_words


class ReadOnly:
    """What happened is not edited, and goes with its voice only: the service knows which files belong to it."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    can_delete = False


@admin.register(Voice)
class VoiceAdmin(admin.ModelAdmin):
    list_display = ["name", "owner", "slug", "texts", "created_at"]
    list_select_related = ["owner"]
    search_fields = ["name", "slug", "owner__email", "owner__handle"]
    date_hierarchy = "created_at"
    fields = ["name", "owner", "slug", "created_at", "training"]
    readonly_fields = ["owner", "slug", "created_at", "training"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Voice]:
        return super().get_queryset(request).annotate(texts=Count("samples"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # only its author makes a voice

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        # What goes with a voice cannot be deleted alone, which is no reason not to delete the voice.
        listed, counts, _, protected = super().get_deleted_objects(objs, request)
        return listed, counts, set(), protected

    def delete_model(self, request: HttpRequest, voice: Voice) -> None:
        services.delete_voice(voice=voice)

    def delete_queryset(self, request: HttpRequest, voices: QuerySet[Voice]) -> None:
        for voice in voices:
            services.delete_voice(voice=voice)

    def get_urls(self) -> list[Any]:
        page = self.admin_site.admin_view(recipe)
        return [path("<int:pk>/recipe/", page, name="adapters_voice_recipe"), *super().get_urls()]

    @admin.display(description="How it is trained")
    def training(self, voice: Voice) -> str:
        if voice.recipe is None:
            words = "As suits the amount of its writing."
        else:
            words = in_words(Recipe.from_dict(voice.recipe))
        url = reverse("admin:adapters_voice_recipe", args=[voice.pk])
        return format_html('{} <a href="{}">Change</a>', words, url)

    @admin.display(ordering="texts")
    def texts(self, voice: Any) -> int:
        return int(voice.texts)


@permission_required("adapters.change_voice", raise_exception=True)
def recipe(request: HttpRequest, pk: int) -> HttpResponse:
    """How the next trainings of a voice are done."""
    voice = get_object_or_404(Voice, pk=pk)
    back = redirect("admin:adapters_voice_change", pk)
    try:
        expected = services.expected_recipe(tokens=services.measure(voice=voice).tokens, voice=voice)
    except services.UserError as error:
        messages.error(request, str(error))
        return back
    form = RecipeForm(request.POST or None, initial=expected.as_dict())
    if "reset" in request.POST:
        services.set_recipe(voice=voice, recipe=None)
        return back
    if request.method == "POST" and form.is_valid():
        services.set_recipe(voice=voice, recipe=form.recipe)
        messages.success(request, f"The next trainings of {voice} are done like this.")
        return back
    context = {
        **admin.site.each_context(request),
        "title": f"Recipe of {voice}",
        "voice": voice,
        "form": form,
        "words": in_words(expected),
    }
    return render(request, "admin/adapters/recipe.html", context)


@admin.register(Sample)
class SampleAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "voice", "source", "date", "words", "tokens", "included", "created_at"]
    list_filter = ["source", "included"]
    list_select_related = ["voice"]
    search_fields = ["title", "external_id", "voice__name", "voice__owner__email"]
    date_hierarchy = "created_at"


class FileInline(ReadOnlyInline):
    model = ImportFile
    fields = ["name", "size", "source", "attempts", "done"]


class ItemInline(ReadOnlyInline):
    model = ImportItem
    fields = ["external_id", "title", "authors", "state", "held", "reason", "sample"]


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "voice", "state", "created_at", "heartbeat_at", "finished_at"]
    list_filter = ["state"]
    list_select_related = ["voice"]
    search_fields = ["voice__name", "voice__owner__email"]
    date_hierarchy = "created_at"
    inlines = [FileInline, ItemInline]


class EventInline(ReadOnlyInline):
    model = TrainingEvent
    fields = ["seq", "kind", "data", "created_at"]
    readonly_fields = fields
    ordering = ["seq"]


@admin.register(TrainingJob)
class TrainingJobAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "state", "outcome", "attempt", "error", "created_at", "heartbeat_at", "finished_at"]
    list_filter = ["state", "outcome", "error"]
    list_select_related = ["voice"]
    search_fields = ["voice__name", "voice__owner__email", "message"]
    date_hierarchy = "created_at"
    inlines = [EventInline]
    actions = ["cancel", "requeue"]

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("adapters.change_trainingjob")

    @admin.action(description="Cancel the selected trainings", permissions=["move"])
    def cancel(self, request: HttpRequest, jobs: QuerySet[TrainingJob]) -> None:
        for job in jobs:
            services.cancel_training(job=job)
        self.message_user(request, "Queued ones are cancelled; running ones stop within seconds.")

    @admin.action(description="Take up again: running trainings whose worker is stuck", permissions=["move"])
    def requeue(self, request: HttpRequest, jobs: QuerySet[TrainingJob]) -> None:
        moved = sum(services.requeue_training(job=job) for job in jobs)
        self.message_user(request, f"{moved} of {len(jobs)} put back into the queue; the others were not running.")


@admin.register(Version)
class VersionAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "status", "gain", "digest", "base_model", "created_at"]
    list_filter = ["status", "base_model"]
    list_select_related = ["voice"]
    search_fields = ["voice__name", "voice__owner__email", "digest"]
    date_hierarchy = "created_at"

    @admin.display(description="less surprised")
    def gain(self, version: Version) -> str:
        share = version.metrics.get("gain")
        return "" if share is None else percent(share)
