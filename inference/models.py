"""Drafts and the generations they are made of. Knows what was asked for and what came back.
Knows nothing of engines, prompts or streaming."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Left

from accounts.models import User
from adapters.models import Version, Voice


class DraftQuerySet(models.QuerySet["Draft"]):
    def visible_to(self, user: User) -> DraftQuerySet:
        return self.filter(owner=user)

    def for_list(self) -> DraftQuerySet:
        """With their voice, how many texts there are, and how the newest one begins."""
        newest = Generation.objects.filter(draft=OuterRef("pk")).exclude(text="")
        opening = Subquery(newest.values(start=Left("text", 240))[:1])
        drafts = self.select_related("voice").annotate(texts=Count("generations"), opening=opening)
        return drafts.order_by("-updated_at", "-pk")  # counting drops the default order


class Draft(models.Model):
    """A piece of writing under way: one brief, and every text written for it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="drafts")
    brief = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[models.Manager[Draft]] = DraftQuerySet.as_manager()

    class Meta:
        ordering = ["-updated_at"]

    def __str__(self) -> str:
        return self.brief[:80] or f"Draft {self.pk}"


class GenerationQuerySet(models.QuerySet["Generation"]):
    def visible_to(self, user: User) -> GenerationQuerySet:
        return self.filter(draft__owner=user)

    def active(self) -> GenerationQuerySet:
        return self.filter(state__in=[Generation.State.QUEUED, Generation.State.RUNNING])

    def abandoned(self, before: datetime) -> GenerationQuerySet:
        """Being written by nobody: the last sign of life is older than `before`."""
        return self.filter(state=Generation.State.RUNNING, heartbeat_at__lt=before)

    def unread(self, before: datetime) -> GenerationQuerySet:
        """Asked for before `before`, and nobody came to read it: a text is written for its first reader."""
        return self.filter(state=Generation.State.QUEUED, created_at__lt=before)


class Generation(models.Model):
    """One text, written by a version of the voice or, where `version` is empty, by the base model."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"

    class Outcome(models.TextChoices):
        COMPLETE = "complete"
        STOPPED = "stopped"
        FAILED = "failed"

    draft = models.ForeignKey(Draft, on_delete=models.CASCADE, related_name="generations")
    version = models.ForeignKey(Version, on_delete=models.SET_NULL, null=True, blank=True)
    brief = models.TextField()
    prompt_template = models.CharField(max_length=20)
    parameters = models.JSONField()
    seed = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    message = models.CharField(max_length=500, blank=True, help_text="What went wrong, in words for the author.")
    reason = models.CharField(max_length=500, blank=True, help_text="What the engine said of it, for staff.")
    text = models.TextField(blank=True)
    tokens = models.PositiveIntegerField(default=0)
    first_token_seconds = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[Generation]] = GenerationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"Generation {self.pk} for {self.draft}"

    @property
    def is_active(self) -> bool:
        return self.state != self.State.FINISHED

    @property
    def words(self) -> int:
        return len(self.text.split())

    @property
    def tokens_per_second(self) -> float | None:
        """Speed after the first token; None where there is too little to tell."""
        if self.finished_at is None or self.first_token_seconds is None or self.tokens < 2:
            return None
        seconds = (self.finished_at - self.created_at).total_seconds() - self.first_token_seconds
        return (self.tokens - 1) / seconds if seconds > 0 else None
