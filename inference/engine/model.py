"""The base model under the engine: a transformers model whose linear layers and attention work on packed batches.
Knows how to take a model over and give it back. Knows nothing of requests or scheduling."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from transformers import PreTrainedModel

from adapters.lora_files import Target
from inference.engine import kernels, lora
from inference.engine.attention import NAME as PACKED
from inference.engine.batch import PackedBatch
from inference.engine.batch_tensors import AdapterTable, pack, read_tokens
from inference.engine.cache import CacheShape, KVCache
from inference.layers import fusion
from inference.layers.residual import WideResidual

# Relative error allowed between packed attention and the model's own: rounding in bf16 stays well below, a model that
# does anything else with its inputs does not.
_TOLERANCE = 0.1


class PackedModel:
    """Takes the model over until `close`; `attach` it to memory before it runs."""

    table: AdapterTable
    chosen: torch.Tensor
    """(places,) ids, see BatchTensors."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self.device = torch.device(model.device)
        self.dtype: torch.dtype = model.dtype
        text = model.config.get_text_config()
        self.vocabulary: int = text.vocab_size
        self.max_positions: int = text.max_position_embeddings
        heads = text.num_attention_heads
        self.cache_shape = CacheShape(
            layers=text.num_hidden_layers,
            kv_heads=getattr(text, "num_key_value_heads", None) or heads,
            head_dim=getattr(text, "head_dim", None) or text.hidden_size // heads,
            dtype=model.dtype,
            device=self.device,
        )
        self._fused: fusion.Fused | None = None
        self._take_over()

    @property
    def linear_shapes(self) -> dict[str, tuple[int, int]]:
        """Module name -> (in, out) of every linear layer that may carry LoRA."""
        return {name: (layer.base.in_features, layer.base.out_features) for name, layer in self._layers.items()}

    @cached_property
    def bytes_read(self) -> int:
        """Weights that every step reads: all but a table of embeddings that is not the head's too."""
        tables = {self._model.get_input_embeddings().weight} - {self._model.get_output_embeddings().weight}
        held = [*self._model.parameters(), *self._model.buffers()]
        return sum(weight.nbytes for weight in held if weight not in tables)

    def attach(self, cache: KVCache, target: Target, places: int) -> None:
        """Run on this memory, choosing up to `places` tokens a step. Raises ValueError, having given the model back,
        when it would not compute the same as before."""
        self.table = AdapterTable(target, cache.memory.arena)
        self.chosen = torch.zeros(places, dtype=torch.int64, device=self.device)
        batch = PackedBatch(cache=cache)
        page = cache.memory.take_page()
        assert page is not None
        batch.add(self._probe, 0, [page], None)
        try:
            found = self.run(batch, [len(self._probe) - 1])[0]
            off = ((found - self._expected).float().norm() / self._expected.float().norm()).item()
            if not off < _TOLERANCE:
                raise ValueError(f"under packed attention its logits are off by {off:.2g}")
        except ValueError as error:
            self.close()
            raise ValueError(f"{type(self._model).__name__} cannot be served: {error}") from error
        finally:
            cache.memory.give_page(page)

    def run(self, batch: PackedBatch, rows: list[int]) -> torch.Tensor:
        """One pass over the packed tokens, writing their keys and values; logits behind `rows`, (rows, vocabulary)."""
        batch.tensors = pack(batch, rows, self.table, self.chosen)
        answered = batch.tensors.ends[: len(rows)]
        return self.forward(batch, read_tokens(batch.tensors), batch.tensors.positions, answered)

    def forward(
        self, batch: PackedBatch, tokens: torch.Tensor, positions: torch.Tensor, rows: torch.Tensor | int
    ) -> torch.Tensor:
        """The model itself. tokens and positions are (tokens,); rows is as in `run`, or 0 for all of them."""
        assert batch.tensors is not None
        self._current.batch = batch
        logits: torch.Tensor = self._model(
            **self._residual.inputs(tokens, batch.tensors.logits),
            position_ids=positions[None],
            logits_to_keep=rows,
            use_cache=False,
            batch=batch,
        ).logits
        return logits[0]

    def close(self) -> None:
        """Give the model back as it was."""
        if self._fused is not None:
            self._fused.undo()
            self._fused = None
        lora.unwrap(self._model, self._layers)
        self._model.set_attn_implementation(self._own_attention)

    @torch.inference_mode()
    def _take_over(self) -> None:
        # Spread over the vocabulary: among its first tokens are special ones, to which models react chaotically.
        self._probe = [i * self.vocabulary // 8 for i in range(8)]
        ids = torch.tensor([self._probe], device=self.device)
        self._expected = self._model(input_ids=ids, use_cache=False).logits[0, -1]
        self._own_attention: str = self._model.config._attn_implementation
        self._current = lora.CurrentBatch()
        with torch.inference_mode(False), torch.no_grad():  # weights stay ordinary tensors
            self._fused = fusion.fuse(self._model, kernels.on(self.device).elementwise, narrowing=True)
            self._residual = WideResidual(self._model, self._fused)
            self._layers = lora.wrap(self._model, self._model.get_output_embeddings(), self._current)
            lora.join_siblings(self._layers)
        self._model.set_attn_implementation(PACKED)


def end_of_text(model: PreTrainedModel, tokenizer: Any | None) -> frozenset[int]:
    """End-of-text tokens by the generation configuration and by the tokenizer, which do not always agree."""
    generation = getattr(model, "generation_config", None)
    named = [getattr(generation, "eos_token_id", None), getattr(tokenizer, "eos_token_id", None)]
    flat = [i for ids in named for i in (ids if isinstance(ids, list | tuple) else [ids])]
    return frozenset(i for i in flat if i is not None and i < model.config.get_text_config().vocab_size)
