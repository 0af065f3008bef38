"""Samples: a few sentences that the model in training writes, so that people can see the voice come.
Knows the prompt format and generation. Knows nothing of evaluation figures or events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

from adapters.training.loss import layers_of
from adapters.training.prompts import messages_for_brief, prompt_ids
from adapters.training.stopping import ShouldStop, never, stoppable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENS: Final = 60
TEMPERATURE: Final = 0.8
TOP_P: Final = 0.95


def write(
    model: Any, tokenizer: PreTrainedTokenizerBase, brief: str, should_stop: ShouldStop = never, *, seed: int
) -> str:
    """A short text to `brief`, by the model as it is now. The same weights and seed write the same text.

    Raises Stopped when `should_stop()` becomes true.
    """
    ids = torch.tensor([prompt_ids(tokenizer, messages_for_brief(brief))], device=model.device)  # (1, tokens)
    training = model.training
    model.eval()
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices), torch.inference_mode(), stoppable(layers_of(model), should_stop):
            torch.manual_seed(seed)
            written = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=TOKENS,
                do_sample=True,
                temperature=TEMPERATURE,
                top_p=TOP_P,
                pad_token_id=tokenizer.eos_token_id,
            )  # (1, tokens + at most TOKENS)
    finally:
        model.train(training)
    text: str = tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)
    return text.strip()
