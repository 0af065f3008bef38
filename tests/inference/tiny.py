"""A random Llama small enough to make in a blink, a tokenizer of single bytes, and PEFT adapters for both.
Knows PEFT, which the engine does not: what it writes is what the engine must read."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
DIGEST = "0" * 64
"""What the tiny base model's manifests call it."""
CONTEXT = 256


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte, so that every character above ASCII is split; end-of-text is token 256."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|end|>")
    fast.chat_template = (
        "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
    )
    return fast


def model(seed: int = 0) -> LlamaForCausalLM:
    """Weights larger than usual, so that it does not settle on one token."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=257,
        max_position_embeddings=CONTEXT,
        initializer_range=0.25,
        bos_token_id=None,
        eos_token_id=256,
        pad_token_id=256,
    )
    return LlamaForCausalLM(config).eval()


def write_adapter(
    base: torch.nn.Module, folder: Path, *, seed: int, base_digest: str = DIGEST, std: float = 0.2, **lora: Any
) -> Path:
    """A finished adapter with random weights, as training would leave it."""
    torch.manual_seed(seed)
    fields: dict[str, Any] = {"r": 8, "lora_alpha": 16, "target_modules": list(ALL_LINEAR)}
    peft = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", **(fields | lora)))
    for name, parameter in peft.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=std)
    peft.save_pretrained(folder)
    (folder / "manifest.json").write_text(json.dumps({"base_model": {"name": "tiny", "digest": base_digest}}))
    return folder


@torch.inference_mode()
def generate(base: torch.nn.Module, folder: Path | None, prompt: Sequence[int], tokens: int) -> list[int]:
    """What PEFT writes, greedily and past end-of-text."""
    voice: Any = copy.deepcopy(base)
    voice.generation_config.eos_token_id = None
    if folder is not None:
        voice = PeftModel.from_pretrained(voice, folder).eval()
    ids = torch.tensor([list(prompt)])
    out = voice.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)
    return list(out[0, len(prompt) :].tolist())
