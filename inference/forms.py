"""The forms of drafting. Knows what may be chosen and what a person reads when it cannot be.
Knows nothing of what happens next."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import User
from adapters.models import Version, Voice
from inference import prompting
from inference.models import Draft

LONGEST_BRIEF = 4000
BASE = "base"


def brief_field() -> forms.CharField:
    return forms.CharField(
        label="What should it be about?",
        max_length=LONGEST_BRIEF,
        widget=forms.Textarea(attrs={"rows": 5}),
        error_messages={
            "required": "Say in a sentence or two what the text should be about.",
            "max_length": "A brief may have up to %(limit_value)d characters; this one has %(show_value)d.",
        },
    )


class NewDraftForm(forms.Form):
    """A brief for one of the author's voices."""

    voice = forms.ModelChoiceField(
        queryset=Voice.objects.none(),
        to_field_name="slug",
        empty_label=None,
        error_messages={"invalid_choice": "You have no such voice. Choose one from the list."},
    )
    brief = brief_field()

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["voice"].queryset = Voice.objects.all().visible_to(user)
        self.fields["brief"].widget.attrs["rows"] = 3


class GenerationForm(forms.Form):
    """What the next text for a draft shall be like."""

    brief = brief_field()
    writer = forms.ChoiceField(label="Written by")
    length = forms.ChoiceField(
        label="Length",
        choices=prompting.Length,
        initial=prompting.Length.MEDIUM,
        widget=forms.RadioSelect,
        help_text="About {}, {} or {} words.".format(*(each.words for each in prompting.Length)),
    )
    temperature = forms.FloatField(
        label="Temperature",
        min_value=0,
        max_value=prompting.MOST_TEMPERATURE,
        initial=prompting.TEMPERATURE,
        widget=forms.NumberInput(attrs={"type": "range", "step": "0.1"}),
        help_text="Higher takes more chances.",
    )
    seed = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=prompting.LARGEST_SEED,
        label="Seed",
        help_text="The same seed, brief and settings give the same text. Leave it empty for a new text every time.",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )

    def __init__(self, draft: Draft, *args: Any, **kwargs: Any) -> None:
        versions = draft.voice.versions.all().usable().order_by("-number")
        self.versions = {str(version.number): version for version in versions}
        self.live = next((version for version in versions if version.status == Version.Status.LIVE), None)
        super().__init__(*args, initial={"brief": draft.brief, **self._settings(draft)}, **kwargs)
        self.fields["writer"].choices = [
            *((number, _name(version)) for number, version in self.versions.items()),
            (BASE, "The base model, without your voice"),
        ]

    def clean_length(self) -> prompting.Length:
        return prompting.Length(self.cleaned_data["length"])

    @property
    def version(self) -> Version | None:
        """The version that was chosen; None is the base model."""
        return self.versions.get(self.cleaned_data["writer"])

    def _settings(self, draft: Draft) -> dict[str, Any]:
        """Those of the draft's newest text, but a version that went live after it takes its place."""
        live = self.live
        last = draft.generations.select_related("version").first()
        settings = {"length": last.parameters["length"], "temperature": last.parameters["temperature"]} if last else {}
        if last and (live is None or live.created_at < last.created_at):
            number = str(last.version.number) if last.version else BASE
            return {**settings, "writer": number if number in self.versions else BASE}
        return {**settings, "writer": str(live.number) if live else BASE}


def _name(version: Version) -> str:
    if version.status == Version.Status.LIVE:
        return f"{version.voice.name}, version {version.number} (in use)"
    return f"{version.voice.name}, version {version.number}"
