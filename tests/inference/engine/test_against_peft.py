"""The engine writes what PEFT writes, greedily and in fp32, whoever shares the batch."""

from __future__ import annotations

import copy
import itertools
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaForCausalLM

from adapters.base_model import BaseModel
from adapters.store import AdapterStore
from inference.engine import Engine, EngineConfig, Request, SamplingParams
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, Written, request, run
from tests.inference.engine.inside import leaks, preempt, running

PROMPTS = ["Once upon a time", "x", "Zażółć gęślą jaźń 🦊", "The second paragraph is rather longer. " * 4]


@pytest.fixture(scope="module")
def expected(tiny_model: LlamaForCausalLM, voices: dict[str, Path]) -> dict[tuple[str | None, str], list[int]]:
    """What PEFT writes for every voice and prompt."""
    encode = tiny.tokenizer()
    cases = itertools.product([None, *voices], PROMPTS)
    return {(v, p): tiny.generate(tiny_model, voices[v] if v else None, encode(p).input_ids, 12) for v, p in cases}


def test_voices_differ_from_the_base_and_from_each_other(expected: dict[Any, list[int]]) -> None:
    assert len({tuple(tokens) for tokens in expected.values()}) == len(expected)


@pytest.mark.parametrize("limits", [{}, {"prefill_tokens": 3}], ids=["whole prompts", "prompts in chunks"])
def test_each_alone(
    make_engine: Callable[..., Engine], voices: dict[str, Path], expected: dict[Any, list[int]], limits: dict[str, int]
) -> None:
    engine = make_engine(**limits)
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    for (voice, prompt), tokens in expected.items():
        assert run(engine, request("only", prompt, voice)).tokens["only"] == tokens


@pytest.mark.parametrize(
    "limits",
    [
        {"max_running": 32},
        {"max_running": 32, "prefill_tokens": 7},
        {"max_running": 3},
        {"max_running": 5, "memory_bytes": 50 * FRAME, "max_rank": 16, "prefill_tokens": 16},
    ],
    ids=["all at once", "chunked", "few at a time", "evicted and read again"],
)
def test_all_mixed(
    make_engine: Callable[..., Engine], voices: dict[str, Path], expected: dict[Any, list[int]], limits: dict[str, int]
) -> None:
    engine = make_engine(**limits)
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    requests = {str(i): case for i, case in enumerate(expected)}
    written = run(engine, *(request(id, prompt, voice) for id, (voice, prompt) in requests.items()))
    assert written.tokens == {id: expected[case] for id, case in requests.items()}


def test_requests_that_join_later_change_nothing(
    make_engine: Callable[..., Engine], voices: dict[str, Path], expected: dict[Any, list[int]]
) -> None:
    engine = make_engine(prefill_tokens=8)
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    tokens: dict[str, list[int]] = {}
    cases = {str(i): case for i, case in enumerate(expected)}
    late = iter(cases.items())
    for id, (voice, prompt) in late:
        engine.submit(request(id, prompt, voice))
        for output in engine.step():
            tokens.setdefault(output.request_id, []).extend(output.token_ids)
    while engine.has_work():
        for output in engine.step():
            tokens.setdefault(output.request_id, []).extend(output.token_ids)
    assert tokens == {id: expected[case] for id, case in cases.items()}


Sixteen = dict[str, tuple[Path, tuple[int, ...], list[int]]]


@pytest.fixture(scope="module")
def sixteen(tiny_model: LlamaForCausalLM, tmp_path_factory: pytest.TempPathFactory) -> Sixteen:
    """Adapters of all kinds, each with a prompt and what PEFT writes: digest -> folder, prompt, text."""
    root = tmp_path_factory.mktemp("sixteen")
    store = AdapterStore(root / "store")
    targets: list[Any] = [tiny.ALL_LINEAR, ("q_proj", "v_proj"), ("down_proj",), ("o_proj", "gate_proj", "k_proj")]
    made: Sixteen = {}
    for seed, rank in enumerate((1, 2, 3, 4, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 48, 64)):
        lora = {"r": rank, "target_modules": list(targets[seed % 4]), "std": 0.8 / (8 + rank) ** 0.5}
        digest = store.put(tiny.write_adapter(tiny_model, root / str(seed), seed=100 + seed, **lora))
        prompt = tuple(range(50, 50 + 3 * seed + 1))
        made[digest] = (store.path(digest), prompt, tiny.generate(tiny_model, store.path(digest), prompt, 10))
    return made


def ask(sixteen: Sixteen, turn: int = 0) -> list[Request]:
    return [request(f"{turn} {digest}", each[1], digest, max_tokens=10) for digest, each in sixteen.items()]


def wanted(sixteen: Sixteen, turns: int = 1) -> dict[str, list[int]]:
    return {f"{turn} {digest}": each[2] for turn in range(turns) for digest, each in sixteen.items()}


@pytest.mark.parametrize("prefill_tokens", [1000, 50, 5])
def test_sixteen_adapters_of_all_kinds_in_one_batch(
    make_engine: Callable[..., Engine], sixteen: Sixteen, prefill_tokens: int
) -> None:
    engine = make_engine(max_running=17, prefill_tokens=prefill_tokens)
    for digest, (folder, _, _) in sixteen.items():
        engine.add_adapter(digest, folder)
    written = run(engine, *ask(sixteen), request("base", (1, 2, 3), max_tokens=40))
    assert {id: tokens for id, tokens in written.tokens.items() if id != "base"} == wanted(sixteen)


def test_sixteen_adapters_that_make_room_for_each_other(make_engine: Callable[..., Engine], sixteen: Sixteen) -> None:
    engine = make_engine(max_running=4, memory_bytes=100 * FRAME, max_rank=64, prefill_tokens=20)
    for digest, (folder, _, _) in sixteen.items():
        engine.register(engine.check_adapter(digest, folder))
    asked = [each for turn in range(3) for each in ask(sixteen, turn)]
    random.Random(5).shuffle(asked)
    assert run(engine, *asked).tokens == wanted(sixteen, 3)
    assert engine.snapshot().evictions["device"] > 16
    assert leaks(engine) == []


@pytest.mark.parametrize("prefix_cache", [True, False])
def test_sixteen_adapters_preempted_at_any_time(
    make_engine: Callable[..., Engine], sixteen: Sixteen, prefix_cache: bool
) -> None:
    engine = make_engine(max_running=8, prefill_tokens=12, prefix_cache=prefix_cache)
    for digest, (folder, _, _) in sixteen.items():
        engine.add_adapter(digest, folder)
    for each in ask(sixteen):
        engine.submit(each)
    choose = random.Random(3)
    times: Counter[str] = Counter()
    written = Written()
    while engine.has_work():
        written.add(engine.step())
        if (able := [s.request.id for s in running(engine) if times[s.request.id] < 2]) and choose.random() < 0.5:
            preempt(engine, id := choose.choice(able))
            times[id] += 1
    assert written.tokens == wanted(sixteen)
    assert engine.snapshot().preemptions > 10


def test_a_closed_engine_leaves_the_model_as_it_was(tiny_model: LlamaForCausalLM) -> None:
    ids = torch.tensor([[1, 2, 3]])
    names, before = [name for name, _ in tiny_model.named_modules()], tiny_model(ids).logits
    Engine(tiny_model, None, EngineConfig(base_digest=tiny.DIGEST)).close()
    assert [name for name, _ in tiny_model.named_modules()] == names
    assert torch.equal(tiny_model(ids).logits, before)


def test_sliding_window_models_see_no_further_than_their_window() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = MistralConfig(
        **sizes, num_key_value_heads=2, vocab_size=97, sliding_window=5, initializer_range=0.3, eos_token_id=None
    )
    model = MistralForCausalLM(config).eval()
    prompt = tuple(range(20, 40))
    expected = tiny.generate(model, None, prompt, 12)
    engine = Engine(model, None, EngineConfig(base_digest=tiny.DIGEST, prefill_tokens=6))
    assert run(engine, request("one", prompt)).tokens["one"] == expected


def test_models_that_packed_attention_cannot_serve_are_refused() -> None:
    from transformers import Gemma2Config, Gemma2ForCausalLM

    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = Gemma2Config(**sizes, num_key_value_heads=2, head_dim=8, vocab_size=97, attn_logit_softcapping=50.0)
    with pytest.raises(ValueError, match="Gemma2ForCausalLM cannot be served: attention with soft caps"):
        Engine(Gemma2ForCausalLM(config).eval(), None, EngineConfig(base_digest=tiny.DIGEST))


@pytest.mark.model
def test_starter_model_with_two_voices_and_the_base_together(
    starter: tuple[Any, Any], base_model: BaseModel, tmp_path: Path
) -> None:
    model, tokenizer = starter
    store = AdapterStore(tmp_path / "store")
    voices: list[str | None] = [None]
    for seed, rank in enumerate((8, 16)):
        made = tiny.write_adapter(
            model, tmp_path / str(seed), seed=seed, r=rank, std=0.05, base_digest=base_model.digest
        )
        voices.append(store.put(made))
    prompt = tuple(tokenizer("Every morning the baker of our street").input_ids)
    expected = {voice: tiny.generate(model, store.path(voice) if voice else None, prompt, 10) for voice in voices}
    assert len({tuple(tokens) for tokens in expected.values()}) == 3

    # A second tree of modules around the same weights: the shared fixture stays as it is, without 540 MB more.
    own = copy.deepcopy(model, {id(p): p for p in model.parameters()})
    engine = Engine(own, tokenizer, EngineConfig(base_digest=base_model.digest, prefill_tokens=5))
    for voice in voices[1:]:
        assert voice is not None
        engine.add_adapter(voice, store.verify(voice))
    greedy = SamplingParams(temperature=0, max_tokens=10, ignore_eos=True)
    written = run(engine, *(Request(id=str(v), prompt=prompt, adapter=v, sampling=greedy) for v in voices))
    assert written.tokens == {str(voice): tokens for voice, tokens in expected.items()}
