"""Forms of the style pages: which texts are compared, and what is compared with them.
Knows which input makes sense. Knows nothing of how style is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django import forms
from django.core.validators import MaxLengthValidator

from adapters import services
from adapters.models import Voice
from adapters.services import Period

LONGEST: Final = 120_000
"""Characters of a text that is checked: some 20,000 words."""


class SideForm(forms.Form):
    """One side of a comparison: a voice of the same author, and from which year to which."""

    voice = forms.ChoiceField(required=False, label="Voice")
    first = forms.ChoiceField(required=False, label="From")
    last = forms.ChoiceField(required=False, label="To")

    def __init__(self, data: Any, *, voices: Sequence[Voice], prefix: str, shown: tuple[Voice, Period]) -> None:
        """`shown` is what it stands for where nothing was chosen."""
        super().__init__(data, prefix=prefix)
        self._voices = {voice.slug: voice for voice in voices}
        self._shown = shown
        years = [str(year) for year in sorted({year for voice in voices for year in services.years_of(voice=voice)})]
        choices = {
            "voice": [(voice.slug, voice.name) for voice in voices],
            "first": [("", "the oldest"), *((year, year) for year in years)],
            "last": [("", "the newest"), *((year, year) for year in years)],
        }
        for name, offered in choices.items():
            self.fields[name].choices = offered  # type: ignore[attr-defined]
        voice, period = shown
        self.initial = {"voice": voice.slug, "first": period.first or "", "last": period.last or ""}
        if f"{prefix}-voice" not in self.data:
            self.data = {self.add_prefix(name): str(value) for name, value in self.initial.items()}
        self.chosen = self._chosen()
        self.data = {self.add_prefix(name): str(value) for name, value in self._as_choices().items()}

    def _chosen(self) -> tuple[Voice, Period]:
        # An address typed by hand still shows a comparison.
        if not self.is_valid():
            return self._shown
        voice = self._voices.get(self.cleaned_data["voice"], self._shown[0])
        first, last = (int(self.cleaned_data[name] or 0) or None for name in ("first", "last"))
        if first and last and first > last:
            first, last = last, first
        return voice, Period(first=first, last=last)

    def _as_choices(self) -> dict[str, Any]:
        voice, period = self.chosen
        return {"voice": voice.slug, "first": period.first or "", "last": period.last or ""}


class CheckForm(forms.Form):
    text = forms.CharField(
        strip=False,
        required=False,
        # No `max_length`: browsers would cut off the rest of what is pasted, and say nothing.
        validators=[MaxLengthValidator(LONGEST, "This is longer than 20,000 words. Check it in parts.")],
        label="Text",
        help_text="A draft of yours, or anything else. It is not kept.",
        widget=forms.Textarea(attrs={"rows": 16}),
    )
