"""The serving workload: S-LoRA's request generator (Sheng et al. 2023, section 7), on dummy models of real shapes.
Knows shapes, lengths and arrivals, and PEFT's file layout. Knows nothing of engines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BASE_DIGEST = "d" * 64
"""What the dummy base model's adapters say that they were trained on."""

SHAPES: dict[str, dict[str, Any]] = {
    "llama-8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "llama-7b": {
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "vocab_size": 32000,
    },
    "smollm2-135m": {
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "vocab_size": 49152,
        "tie_word_embeddings": True,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
}
MODULES = {
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "all": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}


# What is measured when nothing else is asked for: shape -> (rank, modules, numbers of voices).
STANDARD: dict[str, tuple[int, str, tuple[int, ...]]] = {
    "llama-8b": (16, "all", (0, 8, 64, 500)),
    "llama-7b": (8, "attention", (0, 5, 100, 2000)),
    "smollm2-135m": (16, "all", (0, 8)),
    "tiny": (8, "all", (0, 4)),
}


@dataclass(frozen=True, kw_only=True)
class Job:
    """One request of the workload."""

    arrival: float
    """Seconds after the start."""
    voice: int
    """Which adapter."""
    prompt: tuple[int, ...]
    """Random token ids."""
    output: int
    """Tokens to write, exactly: greedy, end-of-text ignored."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """The generator's parameters."""

    voices: int
    """0 is the base model alone."""
    requests: int = 600
    """How many."""
    rate: float | None = None
    """Requests a second; None lets all arrive at once."""
    skew: float = 1.0
    """Exponent of the power law by which voices are chosen; 1 is uniform, less prefers the first."""
    burst: float = 1.0
    """Coefficient of variation of the gaps between arrivals; 1 is a Poisson process."""
    shortest: int = 8
    """Tokens of the shortest prompt and the shortest output."""
    longest: int = 512
    """One more than tokens of the longest."""
    seed: int = 42
    """Of voices, lengths and arrivals."""

    def jobs(self, vocabulary: int) -> list[Job]:
        """numpy's legacy generator and this order of draws, because the published figures come from them."""
        draw = np.random.RandomState(self.seed)
        voices = (draw.power(self.skew, self.requests) * max(self.voices, 1)).astype(int)
        prompts = draw.randint(self.shortest, self.longest, self.requests)
        outputs = draw.randint(self.shortest, self.longest, self.requests)
        arrivals = np.zeros(self.requests)
        if self.rate is not None:
            shape = self.burst**-2
            arrivals = draw.gamma(shape, 1 / (self.rate * shape), self.requests).cumsum()
        tokens = np.random.default_rng(self.seed)
        return [
            Job(
                arrival=float(arrival),
                voice=int(voice),
                prompt=tuple(tokens.integers(0, vocabulary, prompt).tolist()),
                output=int(output),
            )
            for arrival, voice, prompt, output in zip(arrivals, voices, prompts, outputs, strict=True)
        ]


def dummy_model(shape: str, *, device: str, dtype: torch.dtype) -> PreTrainedModel:
    """Random weights: with fixed lengths, only shapes matter for speed."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model: PreTrainedModel = LlamaForCausalLM(LlamaConfig(max_position_embeddings=2048, **SHAPES[shape]))
    finally:
        torch.set_default_dtype(before)
    return model.eval()


def lora_values(model: PreTrainedModel, modules: str) -> int:
    """Values of an adapter per rank: in + out of every linear layer that it changes."""
    return sum(layer.in_features + layer.out_features for _, layer in _changed(model, modules))


def write_dummy_adapter(model: PreTrainedModel, folder: Path, *, rank: int, modules: str) -> Path:
    """Random LoRA weights in PEFT's layout, bf16."""
    chance = torch.Generator().manual_seed(rank)
    tensors: dict[str, torch.Tensor] = {}
    for name, layer in _changed(model, modules):
        for side, size in (("A", (rank, layer.in_features)), ("B", (layer.out_features, rank))):
            weight = torch.randn(size, generator=chance) * 0.01
            tensors[f"base_model.model.{name}.lora_{side}.weight"] = weight.bfloat16()
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": list(MODULES[modules])}))
    (folder / "manifest.json").write_text(json.dumps({"base_model": {"name": "dummy", "digest": BASE_DIGEST}}))
    return folder


def _changed(model: PreTrainedModel, modules: str) -> list[tuple[str, torch.nn.Linear]]:
    """Linear layers that an adapter for these modules changes, with their names."""
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)]
    return [(name, layer) for name, layer in layers if name.rpartition(".")[2] in MODULES[modules]]
