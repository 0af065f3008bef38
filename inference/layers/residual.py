"""fp32 where a 16-bit model adds up: its residual stream, and the logits.
Knows where a transformers model takes embeddings and gives logits. Knows nothing of batches or LoRA."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from inference.layers.fusion import Fused


class WideResidual:
    """Feeds a model embeddings in fp32, so that what each layer adds to them is rounded once and not once a layer.

    bf16 keeps 8 bits, and a residual stream has outliers hundreds of times as large as what is added to it. Norms
    narrow it for the linear layers, where all of them can (`fuse` with `narrowing`) and nothing else reads it; any
    other model keeps its own dtype. The starter model's logits are off by less than 1 % then, and by 1.2 to 1.8 % else.
    """

    def __init__(self, model: PreTrainedModel, fused: Fused) -> None:
        self._embed = model.get_input_embeddings()
        self._out: torch.Tensor | None = None
        norms = [module for module in model.modules() if type(module).__name__.endswith("Norm")]
        self.applies = model.dtype != torch.float32 and bool(norms) and all(norm in fused.modules for norm in norms)
        self.applies = self.applies and self._runs(model)
        head = model.get_output_embeddings()
        plain = isinstance(head, nn.Linear) and head.bias is None and "forward" not in vars(head)
        if self.applies and plain and model.device.type == "cuda":
            self._weight = head.weight
            head.forward = self._logits
            fused.modules.append(head)

    def inputs(self, tokens: torch.Tensor, out: torch.Tensor | None = None) -> dict[str, Any]:
        """What to call the model with for (tokens,) ids; `out`, (rows, vocabulary) in fp32, is for the logits."""
        self._out = out
        if not self.applies:
            return {"input_ids": tokens[None]}
        return {"inputs_embeds": self._embed(tokens[None]).float()}

    def _runs(self, model: PreTrainedModel) -> bool:
        """Whether nothing but norms reads the stream: OLMo's linear layers do."""
        try:
            with torch.inference_mode():
                model(**self.inputs(torch.zeros(1, dtype=torch.int64, device=model.device)), use_cache=False)
        except RuntimeError:
            return False
        return True

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """As they were added up: rounded to bf16, the likeliest tokens are often equally likely. Of a batch of one."""
        rows, out = hidden.flatten(0, -2), self._out
        shape = {} if out is None or len(out) != len(rows) else {"out": out}
        return torch.mm(rows, self._weight.t(), out_dtype=torch.float32, **shape)[None]
