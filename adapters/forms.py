"""Forms of the voices' pages. Knows which input makes sense and how it is asked for.
Knows nothing of how it is kept."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q

from adapters import sources
from adapters.models import Sample, SampleQuerySet, Voice
from adapters.services.voices import LONGEST_NAME
from adapters.services.writing import LONGEST_TITLE


class VoiceForm(forms.Form):
    name = forms.CharField(
        max_length=LONGEST_NAME,
        label="Name",
        help_text="What you call this way of writing: your blog’s name, a column, a pen name.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Give the voice a name."},
    )


class PasteForm(forms.Form):
    title = forms.CharField(
        max_length=LONGEST_TITLE,
        required=False,
        label="Title",
        help_text="Optional. Without one, the first line is the title where it looks like one.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    date = forms.DateField(
        required=False,
        label="Date",
        help_text="Optional. The newest posts are set aside to measure the voice with.",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the date as year, month and day: 2024-05-31."},
    )
    # Counted by the service, in bytes, before anything else is done with it.
    text = forms.CharField(
        strip=False,
        label="Text",
        help_text="One post, as it was published. Blank lines part its paragraphs.",
        widget=forms.Textarea(attrs={"rows": 14}),
        error_messages={
            "required": "There is no text here yet. Paste a post and add it again.",
            "null_characters_not_allowed": "This is not text. Copy the post from where it can be read, then paste it.",
        },
    )


class _Files(forms.ClearableFileInput):
    allow_multiple_selected = True


class _FilesField(forms.FileField):
    """Every chosen file; whether any of them is empty or no text is for the import to say, file by file."""

    widget = _Files

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        if not data and self.required:
            raise forms.ValidationError(self.error_messages["required"])
        return list(data)


class UploadForm(forms.Form):
    uploads = _FilesField(
        label="Files",
        help_text="Your blog’s export (WordPress, Ghost, Medium, Substack and others), a zip of posts, or single posts "
        "as text, Markdown, HTML, Word, OpenDocument, EPUB, PDF or mail. Up to 200 MB each.",
        widget=_Files(),
        error_messages={"required": "Choose at least one file."},
    )


class AddressForm(forms.Form):
    # What an address is is for the service to say.
    address = forms.CharField(
        max_length=500,
        label="Or read your blog by its address",
        help_text="Your blog or its feed. Most feeds hold the latest posts only; an export holds all of them.",
        widget=forms.URLInput(attrs={"placeholder": "https://example.org/feed", "autocomplete": "url"}),
        error_messages={"required": "Write the address of your blog or its feed."},
    )


class FilterForm(forms.Form):
    """Which texts a list shows. What makes no sense filters nothing: an address typed by hand still shows a list."""

    q = forms.CharField(required=False, max_length=100, label="Words", widget=forms.SearchInput())
    show = forms.ChoiceField(
        required=False,
        label="Show",
        choices=[("", "All texts"), ("in", "Read by the model"), ("out", "Left out"), ("flagged", "To look at")],
    )
    source = forms.ChoiceField(required=False, label="From")
    year = forms.ChoiceField(required=False, label="Year")

    def __init__(self, data: Any, *, voice: Voice) -> None:
        super().__init__(data)
        self.voice = voice
        found = Sample.objects.filter(voice=voice).order_by()
        names = sorted(set(found.values_list("source", flat=True)))
        years = sorted({day.year for day in found.dates("date", "year") if day}, reverse=True)
        self.fields["source"].choices = [("", "Everywhere"), *((name, sources.label(name)) for name in names)]  # type: ignore[attr-defined]
        self.fields["year"].choices = [("", "Any year"), *((str(year), str(year)) for year in years)]  # type: ignore[attr-defined]

    def samples(self) -> SampleQuerySet:
        self.is_valid()
        asked = self.cleaned_data
        found = SampleQuerySet(Sample).filter(voice=self.voice)
        if words := asked.get("q"):
            found = found.filter(Q(title__icontains=words) | Q(text__icontains=words))
        if asked.get("show") in {"in", "out"}:
            found = found.filter(included=asked["show"] == "in")
        if asked.get("show") == "flagged":
            found = found.exclude(flags=[])
        if asked.get("source"):
            found = found.filter(source=asked["source"])
        if asked.get("year"):
            found = found.filter(date__year=int(asked["year"]))
        return found


class BriefsForm(forms.Form):
    # How many and how long they may be is for the service to say.
    briefs = forms.CharField(
        required=False,
        label="Subjects",
        help_text="One a line, up to three. At every measurement the voice writes a few sentences about each, so that "
        "you can see it come. On a machine without a GPU only the first is written.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
