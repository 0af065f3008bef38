"""Exporting a voice as a model of its own, for use elsewhere.
Knows which version a name stands for, and what the model's card says. Knows nothing of tensors."""

from __future__ import annotations

import json
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final, Literal

from django.conf import settings

from accounts.models import User
from adapters import base_model
from adapters.models import Version, Voice
from adapters.services.versions import resolve, store
from adapters.store import AdapterCorrupt, AdapterMissing
from adapters.training.prompts import messages_for_brief

Dtype = Literal["float32", "bfloat16"]

_LIBRARIES: Final = ("torch", "transformers", "peft")


class ExportRefused(Exception):
    """Why this voice cannot be exported, and what to do about it, for the site's operator."""


def export_merged(*, name: str, folder: Path, dtype: Dtype = "float32") -> Version:
    """Write the version that `name` stands for, merged into its base model, to `folder`, and return it.

    `name` is any author's, as in the API: `handle/voice` is the live version, `handle/voice@3` the third.
    Raises ExportRefused before anything is written, OSError when the folder cannot be.
    """
    version = _find(name)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise ExportRefused(f"{folder} is not an empty folder: name one that is, or that is not there yet.")
    base = _base_of(version)
    adapter = _adapter_of(version)

    import torch  # which no web process imports

    from adapters.training.merging import merge

    card = _card(version, dtype)
    try:
        merge(base=base, adapter=adapter, out=folder, dtype=getattr(torch, dtype), card=card)
    except ValueError as error:
        raise ExportRefused(f"{_full_name(version)} cannot be merged into its base model: {error}") from error
    return version


def _find(name: str) -> Version:
    plain = name.partition("@")[0]
    handle, _, slug = plain.partition("/")
    voice = Voice.objects.filter(owner__handle=handle, slug=slug).first()
    if voice is None:
        raise ExportRefused(
            f"There is no voice {plain!r}. A voice is named handle/voice, and handle/voice@3 is its third version."
        )
    try:
        return resolve(user=User.objects.get(pk=voice.owner_id), name=name).version
    except LookupError as error:
        usable = [f"{plain}@{number}" for number in voice.versions.all().usable().values_list("number", flat=True)]
        todo = f"These can: {', '.join(usable)}." if usable else "None of its versions can. Train it first."
        raise ExportRefused(f"{name} is not a version that can write. {todo}") from error


def _base_of(version: Version) -> Path:
    name = version.base_model
    try:
        base = base_model.find(name, settings.MODELS)
    except LookupError as error:
        raise ExportRefused(
            f"Its base model {name!r} is not on this machine: "
            f"run `IDIOLECT_BASE_MODEL={name} python manage.py fetch_base_model` first."
        ) from error
    if base.digest != version.base_digest:
        raise ExportRefused(
            f"It was trained on {name!r} with the digest {version.base_digest}, and what lies in {base.folder} has the "
            f"digest {base.digest}: put the weights back that it was trained on, or train it again."
        )
    return base.folder


def _adapter_of(version: Version) -> Path:
    try:
        return store().verify(version.digest)
    except AdapterMissing as error:
        why = f"The adapter {version.digest} is not in {store().root}"
        raise ExportRefused(f"{why}: restore that folder from a backup, or train the voice again.") from error
    except (AdapterCorrupt, FileNotFoundError) as error:
        why = f"The files of the adapter {version.digest} are damaged ({error})"
        raise ExportRefused(f"{why}: restore them from a backup, or train the voice again.") from error


def _full_name(version: Version) -> str:
    return f"{version.voice.api_name}@{version.number}"


def _card(version: Version, dtype: Dtype) -> str:
    messages = json.dumps(messages_for_brief("The first frost"), ensure_ascii=False)
    versions = ", ".join(f"{library} {version_of(library)}" for library in _LIBRARIES)
    stored = "" if dtype == "float32" else f", stored in {dtype}"
    return _CARD.format(
        voice=version.voice.name,
        number=version.number,
        name=_full_name(version),
        digest=version.digest,
        base=version.base_model,
        base_digest=version.base_digest,
        weights=f"merged in float32{stored}",
        versions=versions,
        messages=messages,
    )


_CARD: Final = """\
---
library_name: transformers
pipeline_tag: text-generation
---

# {voice}, version {number}

A voice, merged into its base model by Idiolect: an ordinary transformers model, to be used without an adapter.

| | |
| --- | --- |
| Voice | `{name}` |
| Adapter | SHA-256 `{digest}` |
| Base model | `{base}`, SHA-256 of its weights `{base_digest}` |
| Weights | {weights} |
| Written by | {versions} |

It has learned one person's way of writing: hand it on only with their consent. The base model's license applies to it.

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(".")
model = AutoModelForCausalLM.from_pretrained(".", dtype="auto")
messages = {messages}
prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
written = model.generate(**prompt, max_new_tokens=300)
print(tokenizer.decode(written[0, prompt["input_ids"].shape[1]:], skip_special_tokens=True))
```
"""
