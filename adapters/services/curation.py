"""Curation: which texts the model reads and what of each, as their author and all of them together have it.
Knows cleaning rules and what follows when one is overruled. Knows nothing of how texts come in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from adapters.importers import Cut, reading, repeats
from adapters.importers.marked import Marked
from adapters.models import Sample, SampleQuerySet, Voice
from adapters.services import bells
from adapters.services.base import count_tokens
from adapters.services.flags import OF_OTHERS, flags_of
from adapters.services.found import AT_ONCE, batches
from adapters.services.stopping import STOPPING
from adapters.services.style import forget_style
from adapters.style.meter import words

SILENCE: Final = timedelta(seconds=30)
"""Reading some texts anew takes a second: who says nothing for so long is gone."""


def overrule(*, sample: Sample, rule: str, kept: bool) -> None:
    """Whether the model reads what `rule` cuts out of this text."""
    rules = set(sample.kept_rules) - {rule} | ({rule} if kept else set())
    sample.kept_rules = sorted(rules)
    _reread([sample], sample.voice)


@transaction.atomic
def overrule_all(*, voice: Voice, rule: str, kept: bool) -> None:
    """Whether the model reads what `rule` cuts out of any text of the voice, those to come as well. A worker reads the
    texts anew: to count the words of thousands takes a minute."""
    own = Voice.objects.select_for_update().get(pk=voice.pk)
    own.kept_rules = sorted(set(own.kept_rules) - {rule} | ({rule} if kept else set()))
    own.rereading_at = timezone.now()
    own.save(update_fields=["kept_rules", "rereading_at"])
    bells.ring(bells.REREAD, own.pk)


def reread(*, voice_id: int) -> None:
    """Read the texts of a voice anew by its rules as they are now, some at a time. Does nothing when that was done."""
    voice = Voice.objects.filter(pk=voice_id).exclude(rereading_at=None).first()
    if voice is None:
        return
    cut = Sample.objects.filter(voice=voice).exclude(cuts=[]).order_by("pk").values_list("pk", flat=True)
    for pks in batches(list(cut), AT_ONCE):
        if STOPPING.is_set():
            return  # the sweeper has another worker go on
        with transaction.atomic():
            samples = Sample.objects.filter(pk__in=pks).defer("original", "signature").select_for_update()
            _reread([sample for sample in samples if _read(sample, voice) != sample.text], voice)
        Voice.objects.filter(pk=voice_id).update(rereading_at=timezone.now())
    # Whoever overruled another rule meanwhile has rung for that.
    Voice.objects.filter(pk=voice_id, kept_rules=voice.kept_rules).update(rereading_at=None)


def sweep_rereading() -> None:
    """Ring again for voices whose worker was lost, or their message."""
    silent = Voice.objects.filter(rereading_at__lt=timezone.now() - SILENCE)
    for pk in silent.values_list("pk", flat=True):
        if silent.filter(pk=pk).update(rereading_at=timezone.now()):
            bells.ring(bells.REREAD, pk)


@transaction.atomic
def cut_repeats(*, voice: Voice) -> int:
    """Cut out what stands at the beginning or the end of many of the voice's texts; how many texts change."""
    samples = Sample.objects.filter(voice=voice).order_by("pk").defer("original", "signature")
    found = repeats.common(_marked(sample) for sample in samples.iterator(chunk_size=200))
    changed = []
    for sample in samples.iterator(chunk_size=200) if found else ():
        marked = repeats.repeated(_marked(sample), found)
        if len(marked.cuts) > len(sample.cuts):
            sample.full, sample.cuts = marked.text, [[cut.start, cut.end, cut.rule] for cut in marked.cuts]
            changed.append(sample)
    _reread(changed, voice)
    return len(changed)


def set_included(*, sample: Sample, included: bool) -> None:
    """Whether the next training reads it. Versions that have read it stay as they are."""
    Sample.objects.filter(pk=sample.pk).update(included=included)
    sample.included = included


def set_all_included(*, samples: SampleQuerySet, included: bool) -> int:
    """The same for several; how many there are."""
    return samples.update(included=included)


def delete_sample(*, sample: Sample) -> None:
    """Forget the text; others are no longer like it. Versions that have read it stay as they are."""
    with transaction.atomic():
        alike = list(Sample.objects.filter(like=sample).only("flags"))
        for other in alike:
            other.flags = [flag for flag in other.flags if flag != "near_duplicate"]
        Sample.objects.bulk_update(alike, ["flags"])
        forget_style(voice=sample.voice)  # it quotes the text
        sample.delete()


def words_cut(*, sample: Sample, rule: str) -> int:
    """How many words of it the rule is about."""
    return sum(words(sample.whole[cut.start : cut.end]) for cut in cuts_of(sample) if cut.rule == rule)


def cuts_of(sample: Sample) -> list[Cut]:
    """As the importers know them."""
    return [Cut(start=start, end=end, rule=rule) for start, end, rule in sample.cuts]


def _reread(samples: Collection[Sample], voice: Voice) -> None:
    for sample in samples:
        cuts = cuts_of(sample)
        sample.text = _read(sample, voice)
        sample.words, sample.tokens = words(sample.text), count_tokens(sample.text)
        sample.flags = sorted({*flags_of(sample.text, sample.full, cuts), *OF_OTHERS.intersection(sample.flags)})
    changed = ["full", "cuts", "text", "words", "tokens", "flags", "kept_rules"]
    Sample.objects.bulk_update(samples, changed, batch_size=200)


def _read(sample: Sample, voice: Voice) -> str:
    return reading(sample.full, cuts_of(sample), {*voice.kept_rules, *sample.kept_rules})


def _marked(sample: Sample) -> Marked:
    return Marked(text=sample.whole, cuts=tuple(cuts_of(sample)))
