"""In bf16 the engine's logits are within 1e-2 of fp32, where transformers' own may not be."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from adapters.base_model import BaseModel
from inference.engine import Engine, EngineConfig
from tests.inference import tiny
from tests.inference.engine.conftest import request, run
from tests.inference.engine.inside import watch_logits


@pytest.fixture(scope="module")
def usual_model(tiny_model: LlamaForCausalLM) -> LlamaForCausalLM:
    """The tiny model with weights of the usual size: those of the other tests are so large that they are chaotic."""
    torch.manual_seed(0)
    config = copy.deepcopy(tiny_model.config)
    config.initializer_range = 0.02
    return LlamaForCausalLM(config).eval()


@torch.inference_mode()
def peft_logits(model: torch.nn.Module, folder: Path | None, prompt: Sequence[int]) -> torch.Tensor:
    """(tokens, vocabulary), as transformers and PEFT compute them."""
    voice: Any = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    if folder is not None:
        voice = PeftModel.from_pretrained(voice, folder).eval()
    return voice(torch.tensor([list(prompt)])).logits[0].float()


def engine_logits(engine: Engine, adapter: str | None, prompt: tuple[int, ...]) -> torch.Tensor:
    """The same as the engine computes them, over all its steps."""
    with watch_logits(engine) as seen:
        run(engine, request("it", prompt, adapter, max_tokens=1))
    return torch.cat(seen).float()


def off(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    """Relative error over all of them."""
    a, b = torch.cat(found), torch.cat(expected)
    return ((a - b).norm() / b.norm()).item()


@pytest.mark.parametrize("prefill", [None, 16, 1], ids=["whole prompts", "chunks", "token by token"])
def test_a_tiny_model_in_bf16_is_within_a_hundredth_of_fp32(
    usual_model: LlamaForCausalLM, tmp_path: Path, prefill: int | None
) -> None:
    prompts = [tuple(range(30, 30 + length)) for length in (5, 30, 70)]
    folders: dict[str | None, Path | None] = {None: None}
    for seed, rank in enumerate((8, 16, 3, 64)):
        folders[f"{seed:064x}"] = tiny.write_adapter(usual_model, tmp_path / str(seed), seed=seed, r=rank, std=0.05)
    expected = {d: [peft_logits(usual_model, folder, p) for p in prompts] for d, folder in folders.items()}
    assert off(expected[None], expected[f"{0:064x}"]) > 0.1  # what LoRA adds is well above the tolerance
    own = copy.deepcopy(usual_model).to(torch.bfloat16)
    engine = Engine(own, None, EngineConfig(base_digest=tiny.DIGEST, prefill_tokens=prefill, prefix_cache=False))
    for digest, folder in folders.items():
        if digest is not None and folder is not None:
            engine.add_adapter(digest, folder)
        assert off([engine_logits(engine, digest, p) for p in prompts], expected[digest]) < 1e-2
    engine.close()


@pytest.mark.model
@pytest.mark.parametrize("text", ["The second paragraph is rather longer. ", "1, 2, buckle my shoe; "])
def test_the_starter_model_in_bf16_is_within_a_hundredth_of_fp32(
    starter: tuple[Any, Any], base_model: BaseModel, tmp_path: Path, text: str
) -> None:
    """Its residual stream has outliers that bf16 rounds coarsely: transformers' own bf16 is off by more than that."""
    model, tokenizer = starter
    prompt = tuple(tokenizer(text * 6).input_ids)
    folders: dict[str | None, Path | None] = {None: None}
    for seed, rank in enumerate((8, 64)):
        folders[f"{seed:064x}"] = tiny.write_adapter(
            model, tmp_path / str(seed), seed=seed, r=rank, std=0.02, base_digest=base_model.digest
        )
    rounded = copy.deepcopy(model).to(torch.bfloat16)
    exact = [peft_logits(model, folder, prompt) for folder in folders.values()]
    peft = [peft_logits(rounded, folder, prompt) for folder in folders.values()]
    engine = Engine(rounded, None, EngineConfig(base_digest=base_model.digest, prefill_tokens=16))
    for digest, folder in folders.items():
        if digest is not None and folder is not None:
            engine.add_adapter(digest, folder)
    found = [engine_logits(engine, digest, prompt) for digest in folders]
    engine.close()
    assert off(found, exact) < 1e-2 < off(peft, exact)
