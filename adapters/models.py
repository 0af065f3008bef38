"""Voices and what they are made from: writing, imports, training jobs and their versions.
Knows which of these can stand beside each other (constraints). Knows nothing of how they come about."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, Exists, F, Max, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from accounts.models import User
from adapters import sources


class VoiceQuerySet(models.QuerySet["Voice"]):
    def visible_to(self, user: User) -> VoiceQuerySet:
        return self.filter(owner=user)

    def with_figures(self) -> VoiceQuerySet:
        """Adds what a list of voices shows: `posts`, `words`, `live_number` and `in_training`."""
        included = Sample.objects.filter(voice=OuterRef("pk"), included=True).order_by().values("voice")
        live = Version.objects.filter(voice=OuterRef("pk"), status=Version.Status.LIVE)
        active = TrainingJob.objects.filter(voice=OuterRef("pk"), state__in=TrainingJob.ACTIVE)
        return self.annotate(
            posts=Coalesce(Subquery(included.annotate(n=Count("pk")).values("n")), 0),
            words=Coalesce(Subquery(included.annotate(n=Sum("words")).values("n")), 0),
            live_number=Subquery(live.values("number")[:1]),
            in_training=Exists(active),
        )


class Voice(models.Model):
    """One author's way of writing; a blog or a pen name each may have its own."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="voices")
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=60)
    recipe = models.JSONField(
        null=True, blank=True, help_text="How its next trainings are done; empty is what suits the amount of writing."
    )
    kept_rules = models.JSONField(default=list, blank=True, help_text="Cleaning rules that its author has overruled.")
    rereading_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When its texts were last read anew by them; empty when all have been.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Voice]] = VoiceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "slug"], name="voice_slug_unique_per_owner")]

    def __str__(self) -> str:
        return self.name

    @property
    def api_name(self) -> str:
        """What API consumers call it."""
        return f"{self.owner.handle}/{self.slug}"


class ImportJob(models.Model):
    """Files or an address brought in at once. What was found stays, so that it can be ticked in later."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="imports")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    authors = models.JSONField(default=list, blank=True, help_text="Whose posts are taken; empty until all are read.")
    created_at = models.DateTimeField(auto_now_add=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Import {self.pk} into {self.voice}"


class SampleQuerySet(models.QuerySet["Sample"]):
    def visible_to(self, user: User) -> SampleQuerySet:
        return self.filter(voice__owner=user)

    def included(self) -> SampleQuerySet:
        return self.filter(included=True)

    def listed(self) -> SampleQuerySet:
        """Without the long columns."""
        return self.defer("text", "full", "cuts", "original", "signature")


class Sample(models.Model):
    """One post, as the model will read it, beside what was brought in."""

    PASTE: ClassVar = "paste"
    UPLOAD: ClassVar = "upload"

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="samples")
    source = models.CharField(max_length=20, help_text="Pasted, uploaded as a file of its own, or the export's format.")
    external_id = models.CharField(max_length=300, blank=True, help_text="What its source calls it: id, file name.")
    title = models.CharField(max_length=300, blank=True)
    author = models.CharField(max_length=200, blank=True, help_text="Whom the source names.")
    date = models.DateField(null=True, blank=True)
    original = models.TextField(help_text="What was brought in, unchanged.")
    full = models.TextField(blank=True, help_text="All of its words; empty when the model reads all of them.")
    cuts = models.JSONField(default=list, blank=True, help_text="Start, end and rule of what is no prose.")
    kept_rules = models.JSONField(default=list, blank=True, help_text="Rules that its author has overruled here.")
    text = models.TextField(help_text="What the model reads.")
    content_hash = models.CharField(max_length=64)
    words = models.PositiveIntegerField()
    tokens = models.PositiveIntegerField()
    flags = models.JSONField(default=list, blank=True, help_text="What its author should look at.")
    signature = models.BinaryField(null=True, blank=True, help_text="By which near-duplicates are found.")
    like = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    included = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Sample]] = SampleQuerySet.as_manager()

    class Meta:
        ordering = ["-date", "-created_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["voice", "content_hash"], name="sample_text_unique_per_voice")]
        indexes = [models.Index(fields=["voice", "source", "external_id"], name="sample_by_source")]

    def __str__(self) -> str:
        return self.title or self.text[:60]

    @property
    def whole(self) -> str:
        """All of its words, those that the model does not read as well."""
        return self.full or self.text

    @property
    def source_label(self) -> str:
        """For people."""
        return sources.label(self.source)


class StyleProfile(models.Model):
    """How the included texts of a voice are written, all of them or those of some years, as a worker measured it."""

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="profiles")
    first_year = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: from the oldest text on.")
    last_year = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Empty: up to the newest text.")
    texts = models.CharField(max_length=64, blank=True, help_text="Hash of what was measured; empty before that.")
    profile = models.JSONField(null=True, blank=True)
    voiceprint = models.JSONField(null=True, blank=True, help_text="What other texts are compared with.")
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When a worker was last asked to measure.")
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["voice", "first_year", "last_year"]
        constraints = [
            models.UniqueConstraint(
                fields=["voice", "first_year", "last_year"], name="one_profile_per_period", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"Style of {self.voice}, {self.first_year or ''} to {self.last_year or ''}"


class ImportFile(models.Model):
    """One uploaded file, kept until it is read, or the address of one."""

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=300)
    file = models.FileField(upload_to="imports/%Y/%m/", blank=True)
    address = models.CharField(max_length=500, blank=True, help_text="Of a feed or a page.")
    size = models.PositiveBigIntegerField(default=0, help_text="Bytes.")
    source = models.CharField(max_length=20, blank=True, help_text="The format that was found.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How often reading it was begun.")
    done = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class ImportItem(models.Model):
    """One post that was found and what became of it."""

    class State(models.TextChoices):
        FOUND = "found", "Not taken"
        IMPORTED = "imported"
        UPDATED = "updated"
        UNCHANGED = "unchanged"
        SKIPPED = "skipped", "Left out"

    TAKEN: ClassVar = (State.IMPORTED, State.UPDATED, State.UNCHANGED)

    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="items")
    file = models.ForeignKey(ImportFile, on_delete=models.CASCADE, null=True, blank=True, related_name="items")
    source = models.CharField(max_length=20, blank=True)
    external_id = models.CharField(max_length=300)
    title = models.CharField(max_length=300, blank=True)
    authors = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    date = models.DateField(null=True, blank=True)
    words = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.FOUND)
    held = models.CharField(max_length=20, blank=True, help_text="Why it is off until its author ticks it in.")
    reason = models.CharField(max_length=500, blank=True, help_text="Why it is left out.")
    content = models.JSONField(null=True, blank=True, help_text="The post, as long as it is not taken.")
    sample = models.ForeignKey(Sample, on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.title or self.external_id

    @property
    def author(self) -> str:
        """All of them, for people."""
        return ", ".join(self.authors)


class TrainingJobQuerySet(models.QuerySet["TrainingJob"]):
    def visible_to(self, user: User) -> TrainingJobQuerySet:
        return self.filter(voice__owner=user)

    def active(self) -> TrainingJobQuerySet:
        return self.filter(state__in=TrainingJob.ACTIVE)

    def in_turn(self) -> TrainingJobQuerySet:
        """Queued jobs, the next one first: those that a worker had to leave, then by turns between authors: the one
        who was served longest ago comes next, each with their oldest job. Adds `served`, when that was."""
        theirs = TrainingJob.objects.filter(voice__owner=OuterRef("voice__owner")).order_by().values("voice__owner")
        served = Subquery(theirs.annotate(last=Max("started_at")).values("last"))
        queued = self.filter(state=TrainingJob.State.QUEUED).annotate(served=served)
        return queued.order_by("-interrupted", F("served").asc(nulls_first=True), "pk")

    def claimable(self, *, now: datetime, at_once: int) -> TrainingJobQuerySet:
        """Of those in turn, the ones that may begin: not told to wait, and their authors have fewer than `at_once`."""
        running = TrainingJob.objects.filter(voice__owner=OuterRef("voice__owner"), state=TrainingJob.State.RUNNING)
        count = Subquery(running.order_by().values("voice__owner").annotate(n=Count("pk")).values("n"))
        due = self.in_turn().filter(Q(not_before=None) | Q(not_before__lte=now))
        return due.annotate(running=Coalesce(count, 0)).filter(running__lt=at_once)


class TrainingJob(models.Model):
    """Where a job stands (`state`) and how it ended (`outcome`) are two things."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"

    class Outcome(models.TextChoices):
        PUBLISHED = "published"
        NOT_BETTER = "not_better", "Not better than the base model"
        CANCELLED = "cancelled"
        FAILED = "failed"

    ACTIVE: ClassVar = (State.QUEUED, State.RUNNING)

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="jobs")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    outcome = models.CharField(max_length=12, choices=Outcome, blank=True)
    message = models.CharField(max_length=500, blank=True, help_text="How it ended, in words for the author.")
    error = models.CharField(max_length=60, blank=True, help_text="Error id, when it failed.")
    recipe = models.JSONField()
    sample_briefs = models.JSONField(default=list, blank=True, help_text="What it writes at every evaluation.")
    attempt = models.PositiveSmallIntegerField(default=0)
    attempts_before = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts before its author had it continued; they do not count."
    )
    interrupted = models.BooleanField(default=False, help_text="A worker had to leave it: it goes on before others.")
    not_before = models.DateTimeField(null=True, blank=True, help_text="After bad luck, when to try again.")
    cancel_requested = models.BooleanField(default=False)
    inputs = models.JSONField(default=dict, blank=True, help_text="Hashes of what its checkpoint was made from.")
    checkpoint_step = models.PositiveIntegerField(null=True, blank=True, help_text="What it can be continued after.")
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[TrainingJob]] = TrainingJobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["voice"], condition=Q(state__in=["queued", "running"]), name="one_active_job_per_voice"
            ),
            models.CheckConstraint(
                condition=Q(state="finished", outcome__gt="") | (~Q(state="finished") & Q(outcome="")),
                name="job_has_outcome_when_finished",
            ),
        ]

    def __str__(self) -> str:
        return f"Training {self.pk} of {self.voice}"

    @property
    def is_active(self) -> bool:
        return self.state in self.ACTIVE


class TrainingEvent(models.Model):
    """What a job said, in order. Pages and API replay them from any `seq`."""

    job = models.ForeignKey(TrainingJob, on_delete=models.CASCADE, related_name="events")
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["job", "seq"]
        constraints = [models.UniqueConstraint(fields=["job", "seq"], name="event_seq_unique_per_job")]

    def __str__(self) -> str:
        return f"{self.job_id}:{self.seq} {self.kind}"


class VersionQuerySet(models.QuerySet["Version"]):
    def visible_to(self, user: User) -> VersionQuerySet:
        return self.filter(voice__owner=user)

    def live(self) -> VersionQuerySet:
        return self.filter(status=Version.Status.LIVE)

    def usable(self) -> VersionQuerySet:
        """Versions that may write: the live one and those that were live before it."""
        return self.filter(status__in=[Version.Status.LIVE, Version.Status.RETIRED])


class Version(models.Model):
    """One trained adapter of a voice. Its files lie in the adapter store under `digest`."""

    class Status(models.TextChoices):
        LIVE = "live"
        RETIRED = "retired"
        REJECTED = "rejected"

    voice = models.ForeignKey(Voice, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    job = models.OneToOneField(TrainingJob, on_delete=models.SET_NULL, null=True, related_name="version")
    digest = models.CharField(max_length=64)
    base_model = models.CharField(max_length=200)
    base_digest = models.CharField(max_length=64)
    recipe = models.JSONField()
    manifest = models.JSONField()
    metrics = models.JSONField()
    status = models.CharField(max_length=10, choices=Status)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[models.Manager[Version]] = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["voice", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["voice", "number"], name="version_number_unique_per_voice"),
            models.UniqueConstraint(fields=["voice"], condition=Q(status="live"), name="one_live_version_per_voice"),
        ]

    def __str__(self) -> str:
        return f"{self.voice}@{self.number}"
