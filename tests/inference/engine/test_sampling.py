"""Each sequence's token is chosen by its own parameters, whatever its neighbours ask for."""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import LlamaForCausalLM

from inference.engine import Engine, InvalidField, Output, Request, SamplingParams
from inference.engine.sampling import choose
from inference.engine.sequence import Sequence
from tests.inference.engine.conftest import Written, request, run
from tests.inference.engine.inside import preempt, running

# Probabilities .4 .3 .2 .1 of four tokens, in an order that is not theirs in the vocabulary.
LOGITS = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()


def sequence(prompt: tuple[int, ...] = (0,), written: tuple[int, ...] = (), **sampling: Any) -> Sequence:
    made = Sequence(
        Request(id="it", prompt=prompt, sampling=SamplingParams(**sampling)),
        number=0,
        context=3000,
        end_ids=frozenset({3}),
        tokenizer=None,
    )
    for token in written:
        made.append(token)
    return made


def shares(**sampling: Any) -> dict[int, float]:
    """How often each token is chosen."""
    drawn = sequence(seed=7, **sampling)
    counts = Counter[int]()
    for _ in range(2000):
        token = int(choose(LOGITS[None].clone(), [drawn]).item())
        counts[token] += 1
        drawn.append(token)
    return {token: count / 2000 for token, count in sorted(counts.items())}


def test_temperature_zero_takes_the_likeliest() -> None:
    assert shares(temperature=0) == {1: 1.0}


def test_temperature_one_draws_by_probability() -> None:
    assert shares() == pytest.approx({0: 0.1, 1: 0.4, 2: 0.2, 3: 0.3}, abs=0.04)


def test_a_low_temperature_sharpens() -> None:
    assert shares(temperature=0.5)[1] == pytest.approx(0.16 / 0.3, abs=0.04)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        ({"top_k": 2}, {1, 3}),
        ({"top_k": -1}, {0, 1, 2, 3}),
        ({"top_k": 10**30}, {0, 1, 2, 3}),
        ({"top_p": 0.65}, {1, 3}),
        ({"top_p": 0.75}, {1, 2, 3}),
        ({"top_p": 0.0001}, {1}),
        ({"min_p": 0.45}, {1, 2, 3}),
        ({"min_p": 1.0}, {1}),
        ({"top_k": 3, "top_p": 0.75}, {1, 3}),  # top-p of what top-k keeps: .44 and .33 reach it
    ],
)
def test_filters_keep_the_likely_tokens(sampling: dict[str, float], kept: set[int]) -> None:
    assert set(shares(**sampling)) == kept


def test_repetition_penalty_counts_prompt_and_output() -> None:
    logits = torch.tensor([[2.0, 1.9, -1.0, -1.5]])
    assert choose(logits.clone(), [sequence(prompt=(0,), temperature=0, repetition_penalty=1.2)]).tolist() == [1]
    both = sequence(prompt=(0,), written=(1, 2), temperature=0, repetition_penalty=10, max_tokens=50)
    assert choose(torch.tensor([[2.0, 1.9, -1.0, 0.3]]), [both]).tolist() == [3]
    assert choose(torch.tensor([[-9.0, -9.0, -1.0, -2.0]]), [both]).tolist() == [3]  # negative logits are multiplied


def test_presence_and_frequency_penalties_count_the_output_alone() -> None:
    logits = torch.tensor([[1.0, 0.9, 0.0, 0.0]])
    assert choose(logits.clone(), [sequence(prompt=(0, 0), temperature=0, presence_penalty=2)]).tolist() == [0]
    assert choose(logits.clone(), [sequence(written=(0,), temperature=0, presence_penalty=0.5)]).tolist() == [1]
    thrice = sequence(written=(0, 0, 0, 1), temperature=0, frequency_penalty=0.2)
    assert choose(logits.clone(), [thrice]).tolist() == [1]
    once = sequence(written=(0, 1), temperature=0, frequency_penalty=0.2)
    assert choose(logits.clone(), [once]).tolist() == [0]


def test_no_end_of_text_below_min_tokens() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 9.0]])
    assert choose(logits.clone(), [sequence(temperature=0, min_tokens=1, stop_token_ids=(2,))]).tolist() == [1]
    assert choose(logits.clone(), [sequence(written=(0,), temperature=0, min_tokens=1)]).tolist() == [3]


def test_each_row_has_its_own_parameters() -> None:
    mixed = [
        sequence(temperature=0),
        sequence(temperature=0, presence_penalty=2, written=(1,)),
        sequence(seed=1, top_k=1),
        sequence(seed=1, min_p=1.0, stop_token_ids=(1,), min_tokens=5),
    ]
    assert choose(LOGITS.repeat(4, 1), mixed).tolist() == [1, 3, 1, 2]


def test_same_seed_same_text_whatever_else_runs(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine(prefill_tokens=10, max_running=4)
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    voice = next(iter(voices))

    def seeded(id: str, seed: int) -> Request:
        return request(id, "Tell me", voice, temperature=0.9, top_p=0.95, seed=seed, max_tokens=30)

    alone = run(engine, seeded("it", 5)).tokens["it"]
    crowd = [request(str(i), "x" * 3 * i + "y", v, temperature=1.0, seed=5) for i, v in enumerate([None, *voices])]
    mixed = run(engine, *crowd[:4], seeded("it", 5), *crowd[4:], seeded("other", 6))
    assert mixed.tokens["it"] == alone
    assert mixed.tokens["other"] != alone


def test_no_seed_is_another_text_each_time(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    texts = run(engine, *(request(str(i), temperature=1.5) for i in range(3))).tokens
    assert len({tuple(tokens) for tokens in texts.values()}) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("top_p", 0),
        ("top_p", 1.01),
        ("min_p", 2),
        ("top_k", -2),
        ("max_tokens", 0),
        ("min_tokens", -1),
        ("presence_penalty", 3),
        ("frequency_penalty", -3),
        ("repetition_penalty", 0),
        ("stop", ("",)),
    ],
)
def test_senseless_values_are_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidField, match=field):
        SamplingParams(**{field: value})


# Bias and logprobs


def test_a_bias_is_added_to_its_tokens_alone() -> None:
    assert shares(logit_bias=((0, 2.0),)) == pytest.approx(
        {token: p / (0.9 + 0.1 * 7.389) for token, p in {0: 0.1 * 7.389, 1: 0.4, 2: 0.2, 3: 0.3}.items()}, abs=0.04
    )


def test_a_bias_of_a_hundred_forces_and_forbids() -> None:
    assert shares(logit_bias=((2, 100.0),)) == {2: 1.0}
    assert set(shares(logit_bias=((1, -100.0), (3, -100.0)))) == {0, 2}
    assert choose(LOGITS[None].clone(), [sequence(temperature=0, logit_bias=((0, 100.0),))]).tolist() == [0]


def test_a_bias_comes_before_penalties_and_does_not_lift_min_tokens() -> None:
    logits = torch.tensor([[1.0, 0.5, 0.0, 0.0]])
    penalised = sequence(prompt=(2,), temperature=0, repetition_penalty=2.0, logit_bias=((2, 1.5),))
    assert choose(logits.clone(), [penalised]).tolist() == [0]  # (0 + 1.5) / 2
    ends = sequence(temperature=0, min_tokens=1, logit_bias=((3, 100.0),))
    assert choose(logits.clone(), [ends]).tolist() == [0]


def test_a_bias_is_its_own_rows_alone() -> None:
    mixed = [sequence(temperature=0), sequence(temperature=0, logit_bias=((0, 100.0),)), sequence(temperature=0)]
    assert choose(LOGITS.repeat(3, 1), mixed).tolist() == [1, 0, 1]


def test_choosing_leaves_the_logits_as_they_were() -> None:
    logits = LOGITS.repeat(2, 1)
    rows = [sequence(seed=1, presence_penalty=1, written=(1,)), sequence(temperature=0, logit_bias=((0, 9.0),))]
    choose(logits, rows)
    assert torch.equal(logits, LOGITS.repeat(2, 1))


def test_a_token_outside_of_the_vocabulary_has_no_bias(make_engine: Callable[..., Engine]) -> None:
    with pytest.raises(InvalidField, match="logit_bias"):
        make_engine().submit(request("it", logit_bias=((257, 1.0),)))


def outputs_of(engine: Engine, *requests: Request) -> dict[str, list[Output]]:
    for each in requests:
        engine.submit(each)
    found: dict[str, list[Output]] = {each.id: [] for each in requests}
    while engine.has_work():
        for output in engine.step():
            found[output.request_id].append(output)
    return found


@torch.inference_mode()
def distributions(model: LlamaForCausalLM, folder: Path | None, tokens: list[int], prompt: int) -> torch.Tensor:
    """(written, vocabulary) log-probabilities of each token behind the prompt, by PEFT."""
    voice: Any = copy.deepcopy(model)
    if folder is not None:
        voice = PeftModel.from_pretrained(voice, folder).eval()
    return torch.log_softmax(voice(torch.tensor([tokens])).logits[0, prompt - 1 : -1], dim=-1)


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_logprobs_are_the_models_own_whatever_the_sampling(
    make_engine: Callable[..., Engine], voices: dict[str, Path], tiny_model: LlamaForCausalLM, temperature: float
) -> None:
    reference = copy.deepcopy(tiny_model)
    engine = make_engine(prefill_tokens=10)
    digest = next(iter(voices))
    engine.add_adapter(digest, voices[digest])
    changes: dict[str, Any] = {
        "presence_penalty": 2.0,
        "repetition_penalty": 1.5,
        "top_k": 30,
        "logit_bias": ((65, 5.0),),
        "temperature": temperature,
    }
    asked = {
        "plain": request("plain", "Tell me", logprobs=3, temperature=temperature, seed=1),
        "voice": request("voice", "Tell me", digest, logprobs=20, seed=2, **changes),
        "chosen alone": request("chosen alone", "Tell", logprobs=0, seed=3, **changes),
        "none": request("none", "Tell", seed=4, temperature=temperature),
    }
    found = outputs_of(engine, *asked.values())
    for name, most in (("plain", 3), ("voice", 20), ("chosen alone", 0)):
        folder = voices[digest] if name == "voice" else None
        tokens = [token for output in found[name] for token in output.token_ids]
        told = [each for output in found[name] for each in output.logprobs]
        prompt = asked[name].prompt
        expected = distributions(reference, folder, [*prompt, *tokens], len(prompt))
        assert len(told) == len(tokens) == 12
        for row, token, each in zip(expected, tokens, told, strict=True):
            assert each.logprob == pytest.approx(row[token].item(), abs=1e-4)
            values, ids = row.topk(most)
            assert [token for token, _ in each.top] == ids.tolist()
            assert [value for _, value in each.top] == pytest.approx(values.tolist(), abs=1e-4)
    assert all(output.logprobs == () for output in found["none"])


def test_every_output_has_as_many_logprobs_as_tokens(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    asked = [request("stopped", "abc", max_tokens=60, logprobs=2), request("one", "abc", max_tokens=1, logprobs=1)]
    for outputs in outputs_of(engine, *asked).values():
        assert all(len(output.logprobs) == len(output.token_ids) for output in outputs)


# Seeds


SAMPLED: list[dict[str, Any]] = [
    {"temperature": 0.9, "top_p": 0.95},
    {"temperature": 1.3, "top_k": 40, "presence_penalty": 1.0},
    {"temperature": 0.7, "min_p": 0.05, "repetition_penalty": 1.3},
    {"temperature": 1.0, "frequency_penalty": 0.5, "logit_bias": ((65, 3.0),), "logprobs": 2},
]


@pytest.mark.parametrize("limits", [{}, {"prefill_tokens": 5}, {"max_running": 2}, {"prefix_cache": False}])
def test_same_seed_same_text_preempted_at_any_time(
    make_engine: Callable[..., Engine], voices: dict[str, Path], limits: dict[str, Any]
) -> None:
    engine = make_engine(**{"max_running": 8, **limits})
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    asked = [
        request(f"{number} {voice}", "Tell me more", voice, seed=number, max_tokens=20, **sampling)
        for number, sampling in enumerate(SAMPLED)
        for voice in [None, *list(voices)[:2]]
    ]
    alone = {id: tokens for each in asked for id, tokens in run(engine, each).tokens.items()}
    for each in asked:
        engine.submit(each)
    written = Written()
    for step in itertools.count():
        if not engine.has_work():
            break
        written.add(engine.step())
        if step % 5 == 4 and step < 60:
            preempt(engine, *(s.request.id for s in running(engine)[:: 1 + step % 2]))
    assert written.tokens == alone
    assert engine.snapshot().preemptions > 10


def test_a_seed_is_not_the_same_text_under_another_seed(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    texts = [run(engine, request("it", seed=seed, temperature=1.0)).tokens["it"] for seed in (1, 2, 1)]
    assert texts[0] == texts[2] != texts[1]


# min_tokens in the engine


def test_nothing_ends_a_text_below_min_tokens(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine()
    whole = run(engine, request("it", "abc", max_tokens=40))
    tokens, text = whole.tokens["it"], whole.text["it"]
    first = tokens[4]
    early = run(engine, request("it", "abc", max_tokens=40, stop_token_ids=(first,)))
    assert len(early.tokens["it"]) == tokens.index(first) + 1
    late = run(engine, request("it", "abc", max_tokens=40, min_tokens=20, stop_token_ids=(first,)))
    assert len(late.tokens["it"]) >= 20
    assert first not in late.tokens["it"][:20]
    stop = text[3:5]
    assert run(engine, request("it", "abc", max_tokens=40, stop=(stop,))).text["it"] == text[: text.index(stop)]
    passed = run(engine, request("it", "abc", max_tokens=40, min_tokens=40, stop=(stop,)))
    assert passed.text["it"] == text
