"""Drafts and the generations they are made of. Knows what was asked for and what came back.
Knows nothing of engines, prompts or streaming."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from accounts.models import User
from adapters.models import Version, Voice


class DraftQuerySet(models.QuerySet["Draft"]):
    def visible_to(self, user: User) -> DraftQuerySet:
        return self.filter(owner=user)


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
