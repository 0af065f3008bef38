"""Small models of many architectures, and what fused ones are compared by.
Knows transformers' configurations. Knows nothing of how anything is fused."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.llama import modeling_llama

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SIZES = {
    "hidden_size": 48,
    "intermediate_size": 88,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "vocab_size": 97,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
    "initializer_range": 0.2,
}
TOKENS = torch.arange(11, device=DEVICE)[None]


def make(config: type[PreTrainedConfig], dtype: torch.dtype = torch.float32, **other: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config(**SIZES | other), dtype=dtype).eval().to(DEVICE)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 0.7, 0.3)  # norms start as ones or zeros
    return model


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        return model(TOKENS, use_cache=False).logits


def input_gradient(model: PreTrainedModel) -> torch.Tensor:
    """Of the loss on two rows, by what is put into the frozen model."""
    rows = torch.stack([TOKENS[0], TOKENS[0].flip(0)])
    model.requires_grad_(False)
    embedded = model.get_input_embeddings()(rows).requires_grad_()
    loss = model(inputs_embeds=embedded, labels=rows, use_cache=False).loss
    (found,) = torch.autograd.grad(loss, embedded)
    return found


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative error."""
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


def elementwise(model: PreTrainedModel) -> list[nn.Module]:
    return [each for each in model.modules() if type(each).__name__.endswith(("RMSNorm", "MLP", "Attention"))]


class CentredRMSNorm(modeling_llama.LlamaRMSNorm):
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().forward(hidden - hidden.mean(-1, keepdim=True))


class GatedRMSNorm(modeling_llama.LlamaRMSNorm):
    def forward(self, hidden: torch.Tensor, gate: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(hidden) if gate is None else super().forward(hidden) * gate
