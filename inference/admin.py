"""Drafts and adapters in memory in the admin, to look at when an author asks for help. Knows what staff may see.
Knows nothing of how texts come about."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from inference.models import Draft, Generation
from inference.served import served, with_versions

ADAPTERS_A_PAGE: Final = 100


class ReadOnly:
    """What authors wrote is theirs: staff can look, and delete what has to go."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GenerationInline(ReadOnly, admin.TabularInline):
    model = Generation
    fields = ["created_at", "version", "state", "outcome", "tokens", "first_token_seconds", "message", "reason"]
    readonly_fields = fields
    show_change_link = True
    can_delete = False


@admin.register(Draft)
class DraftAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["__str__", "owner", "voice", "updated_at"]
    list_select_related = ["owner", "voice"]
    search_fields = ["owner__email", "voice__name"]
    date_hierarchy = "updated_at"
    inlines = [GenerationInline]


@admin.register(Generation)
class GenerationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["pk", "draft", "version", "state", "outcome", "tokens", "first_token_seconds", "created_at"]
    list_filter = ["state", "outcome"]
    list_select_related = ["draft", "version__voice"]
    date_hierarchy = "created_at"


@require_GET
@permission_required("adapters.view_version", raise_exception=True)
def adapters_in_memory(request: HttpRequest) -> HttpResponse:
    """Every adapter that the engine knows, with the voices that they are; pages, because there may be thousands."""
    now = served()
    page = Paginator(now.adapters, ADAPTERS_A_PAGE).get_page(request.GET.get("page"))
    context = {
        **admin.site.each_context(request),
        "title": "Adapters in memory",
        "served": now,
        "page": page,
        "rows": with_versions(page.object_list),
        "pages": page.paginator.get_elided_page_range(page.number),
    }
    return render(request, "admin/inference/adapters_in_memory.html", context)
