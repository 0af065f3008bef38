"""The kernels compute what plain torch computes: Numba's, and Triton's on a GPU or else in its interpreter."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM, MistralConfig, MistralForCausalLM

pytest.importorskip("triton")

from adapters.lora_files import Adapter, Target
from inference.engine import Engine, EngineConfig, graphs, kernels
from inference.engine.batch import PackedBatch
from inference.engine.batch_tensors import AdapterTable, pack
from inference.engine.cache import CacheShape, KVCache
from inference.engine.memory import Memory
from inference.engine.prefix import PAGE, Held, Pages
from tests.inference import tiny
from tests.inference.engine.conftest import request, run

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
CPU = torch.device("cpu")
TRITON = "triton", DEVICE, torch.float32, 1e-5
NUMBA = "numba", CPU, torch.float32, 1e-5
NARROW = "numba", CPU, torch.bfloat16, 2e-2
on_each = pytest.mark.parametrize(("name", "device", "dtype", "bound"), [TRITON, NUMBA, NARROW])


def of(name: str) -> kernels.Kernels:
    if name == "numba":
        pytest.importorskip("numba")
    return kernels.on(torch.device({"triton": "cuda", "numba": "cpu"}[name]))


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative error."""
    return ((found.double().cpu() - expected).norm() / expected.norm()).item()


@on_each
@pytest.mark.parametrize(
    ("head_dim", "heads", "kv_heads", "window"), [(64, 6, 2, None), (12, 4, 4, 20), (80, 3, 1, 16)]
)
def test_attention_over_pages(
    name: str,
    device: torch.device,
    dtype: torch.dtype,
    bound: float,
    head_dim: int,
    heads: int,
    kv_heads: int,
    window: int | None,
) -> None:
    torch.manual_seed(0)
    shape = CacheShape(layers=1, kv_heads=kv_heads, head_dim=head_dim, dtype=dtype, device=device)
    memory = Memory(shape.arena(40))
    cache, pages = KVCache(shape, memory), Pages(memory, keep=False)
    target = Target(base_digest="", modules={"module": (8, 8)}, max_rank=8, dtype=dtype)
    table, chosen = AdapterTable(target, memory.arena), torch.zeros(1, dtype=torch.int64, device=device)
    lengths = ((0, 70), (33, 1), (40, 30), (0, 1), (150, 1))  # in the cache already, and new
    held = [Held() for _ in lengths]
    keys = [torch.randn(past + new, kv_heads, head_dim, dtype=dtype) for past, new in lengths]
    values = [torch.randn_like(each) for each in keys]
    batch = PackedBatch(cache=cache)
    for own, k, v, (past, new) in zip(held, keys, values, lengths, strict=True):
        assert pages.grow(own, past + new)
        for token in range(past):
            frame = int(memory.frame_of[own.pages[token // PAGE]])
            cache.layer(0)[frame, 0, :, token % PAGE] = k[token].to(device)
            cache.layer(0)[frame, 1, :, token % PAGE] = v[token].to(device)
        batch.add([1] * new, past, own.pages, None)
    new_keys = torch.cat([k[past:] for k, (past, _) in zip(keys, lengths, strict=True)]).to(device)
    new_values = torch.cat([v[past:] for v, (past, _) in zip(values, lengths, strict=True)]).to(device)
    query = torch.randn(len(batch.tokens), heads, head_dim, dtype=dtype)
    found = of(name).attend(
        query.to(device),
        new_keys,
        new_values,
        cache.layer(0),
        pack(batch, [0], table, chosen),
        scale=head_dim**-0.5,
        window=window,
    )

    row = 0
    for k, v, (past, new) in zip(keys, values, lengths, strict=True):
        for position in range(past, past + new):
            first = max(0, position - window + 1) if window else 0
            seen = slice(first, position + 1)
            k_seen = k[seen].double().repeat_interleave(heads // kv_heads, 1)
            v_seen = v[seen].double().repeat_interleave(heads // kv_heads, 1)
            weights = torch.einsum("hd,nhd->hn", query[row].double(), k_seen).mul(head_dim**-0.5).softmax(-1)
            assert off(found[row], torch.einsum("hn,nhd->hd", weights, v_seen)) < bound
            row += 1


@on_each
@pytest.mark.parametrize("decoding", [True, False])
def test_lora_of_mixed_ranks_and_modules(
    name: str, device: torch.device, dtype: torch.dtype, bound: float, decoding: bool
) -> None:
    torch.manual_seed(0)
    modules = {"q": (200, 64), "k": (200, 24), "v": (200, 24), "o": (64, 200)}
    target = Target(base_digest="", modules=modules, max_rank=64, dtype=dtype)
    shape = CacheShape(layers=1, kv_heads=1, head_dim=8, dtype=dtype, device=device)
    memory = Memory(shape.arena(400))
    table, chosen = AdapterTable(target, memory.arena), torch.zeros(1, dtype=torch.int64, device=device)
    adapters: list[Adapter | None] = [None]
    for rank, names in ((8, "qkvo"), (3, "qv"), (33, "qkvo"), (16, "o")):
        layout = target.layout(set(names))
        values = -(-rank // 8) * 8 * layout.size
        first_frame = memory.take_block(values)
        assert first_frame is not None
        block = memory.block(first_frame, values).copy_(torch.randn(values) * 0.1)
        adapters.append(Adapter(digest=names, rank=rank, scale=1.0, layout=layout, block=block))
    batch = PackedBatch(cache=KVCache(shape, memory))
    owners: list[Adapter | None] = []
    for adapter, rows in zip(adapters, (2, 19, 1, 3, 1), strict=True):
        for count in [1] * rows if decoding else [rows * 5]:
            batch.add([1] * count, 0, [1] * 6, adapter)
            owners += [adapter] * count
    chunks = pack(batch, [0], table, chosen).lora
    assert chunks is not None
    for first, names in ((0, "qkv"), (1, "kv"), (3, "o")):
        hidden = torch.randn(len(owners), modules[names[0]][0], dtype=dtype)
        before = [torch.randn(len(owners), modules[module][1], dtype=dtype) for module in names]
        sizes = [modules[module][1] for module in names]
        joined = torch.cat(before, dim=1).to(device)
        of(name).add_deltas(hidden.to(device), joined, sizes, first, chunks)
        for module, out, expected in zip(names, joined.split(sizes, dim=1), before, strict=True):
            wanted = expected.double()
            for row, adapter in enumerate(owners):
                if adapter is not None and (pair := adapter.pair(module)) is not None:
                    down, up = (side.double().cpu() for side in pair)
                    wanted[row] += up @ (down @ hidden[row].double())
            assert off(out, wanted) < bound


class Again:
    """Stands for a captured graph where there is no GPU: does the same work on the same tensors once more."""

    def __init__(self, work: Callable[[], None], memory: object) -> None:
        self.replay = work


@pytest.fixture
def triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine of a CPU uses them too, and steps that are padded to fixed sizes."""
    triton = kernels.on(torch.device("cuda"))
    captured = triton.captured if DEVICE.type == "cuda" else Again
    monkeypatch.setattr(kernels, "on", lambda device: replace(triton, captured=captured, shared=lambda: None))


@pytest.mark.usefixtures("triton")
def test_the_engine_on_kernels_writes_what_peft_writes(voices: dict[str, Path], tiny_model: LlamaForCausalLM) -> None:
    encode = tiny.tokenizer()
    cases = dict(zip(["Once upon", "x", "y" * 30, "z"], [None, *list(voices)[:4]], strict=False))
    expected = {
        prompt: tiny.generate(tiny_model, voices[voice] if voice else None, encode(prompt).input_ids, 4)
        for prompt, voice in cases.items()
    }
    config = EngineConfig(
        base_digest=tiny.DIGEST, max_running=4, prefill_tokens=20, memory_bytes=2**24, host_bytes=2**20
    )
    engine = Engine(copy.deepcopy(tiny_model).to(DEVICE), tiny.tokenizer(), config)
    for digest in filter(None, cases.values()):
        engine.add_adapter(digest, voices[digest])
    written = run(engine, *(request(prompt, prompt, voice, max_tokens=4) for prompt, voice in cases.items()))
    engine.close()
    assert written.tokens == expected


@pytest.mark.usefixtures("triton")
def test_sliding_windows_on_kernels() -> None:
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(
        **sizes, num_key_value_heads=2, vocab_size=97, sliding_window=5, initializer_range=0.3, eos_token_id=None
    )
    mistral = MistralForCausalLM(config).eval()
    prompt = tuple(range(20, 40))
    expected = tiny.generate(mistral, None, prompt, 4)
    engine = Engine(mistral.to(DEVICE), None, EngineConfig(base_digest=tiny.DIGEST, prefill_tokens=6))
    assert run(engine, request("one", prompt, max_tokens=4)).tokens["one"] == expected


def test_steps_are_padded_to_a_larger_size_that_takes_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graphs here are only the seconds that they take."""

    class Timer:
        def __init__(self, statement: str, globals: dict[str, float]) -> None:
            self.mean = globals["graph"]

        def timeit(self, number: int) -> Timer:
            return self

    monkeypatch.setattr(graphs, "Timer", Timer)
    kept = graphs.StepGraphs.__new__(graphs.StepGraphs)
    spent = {8: 1.0, 16: 3.0, 24: 2.0, 32: 1.99}
    kept._decode_sizes = list(spent)
    kept._graphs = {(size, mixed, lora): spent[size] for size in spent for mixed in (True, False) for lora in (0, 1)}
    kept._drop_slow_sizes()
    assert kept._decode_sizes == [8, 24, 32]  # 24 is as fast as 32, but for noise
    assert {key[:2] for key in kept._graphs} == {(size, mixed) for size in spent for mixed in (True, False)} - {
        (16, False)
    }
