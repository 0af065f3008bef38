"""Drafts in the admin, to look at when an author asks for help. Knows what staff may see.
Knows nothing of how texts come about."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from inference.models import Draft, Generation


class ReadOnly:
    """What authors wrote is theirs: staff can look, and delete what has to go."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class GenerationInline(ReadOnly, admin.TabularInline):
    model = Generation
    fields = ["created_at", "version", "state", "outcome", "tokens", "first_token_seconds", "message"]
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
