"""Each sequence's token is chosen by its own parameters, whatever its neighbours ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.engine import Engine, InvalidField, Request, SamplingParams
from inference.engine.sampling import sample
from inference.engine.sequence import Sequence
from tests.inference.engine.conftest import request, run

# Probabilities .4 .3 .2 .1 of four tokens, in an order that is not theirs in the vocabulary.
LOGITS = torch.tensor([0.1, 0.4, 0.2, 0.3]).log()


def sequence(prompt: tuple[int, ...] = (0,), written: tuple[int, ...] = (), **sampling: Any) -> Sequence:
    made = Sequence(
        Request(id="it", prompt=prompt, sampling=SamplingParams(**sampling)),
        context=100,
        end_ids=frozenset({3}),
        tokenizer=None,
    )
    for token in written:
        made.append(token)
    return made


def shares(**sampling: Any) -> dict[int, float]:
    """How often each token is chosen."""
    drawn = sequence(seed=7, **sampling)
    counts = Counter(sample(LOGITS[None].clone(), [drawn])[0] for _ in range(2000))
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
    assert sample(logits.clone(), [sequence(prompt=(0,), temperature=0, repetition_penalty=1.2)]) == [1]
    both = sequence(prompt=(0,), written=(1, 2), temperature=0, repetition_penalty=10, max_tokens=50)
    assert sample(torch.tensor([[2.0, 1.9, -1.0, 0.3]]), [both]) == [3]
    assert sample(torch.tensor([[-9.0, -9.0, -1.0, -2.0]]), [both]) == [3]  # negative logits are multiplied


def test_presence_and_frequency_penalties_count_the_output_alone() -> None:
    logits = torch.tensor([[1.0, 0.9, 0.0, 0.0]])
    assert sample(logits.clone(), [sequence(prompt=(0, 0), temperature=0, presence_penalty=2)]) == [0]
    assert sample(logits.clone(), [sequence(written=(0,), temperature=0, presence_penalty=0.5)]) == [1]
    thrice = sequence(written=(0, 0, 0, 1), temperature=0, frequency_penalty=0.2)
    assert sample(logits.clone(), [thrice]) == [1]
    once = sequence(written=(0, 1), temperature=0, frequency_penalty=0.2)
    assert sample(logits.clone(), [once]) == [0]


def test_no_end_of_text_below_min_tokens() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, 9.0]])
    assert sample(logits.clone(), [sequence(temperature=0, min_tokens=1, stop_token_ids=(2,))]) == [1]
    assert sample(logits.clone(), [sequence(written=(0,), temperature=0, min_tokens=1)]) == [3]


def test_each_row_has_its_own_parameters() -> None:
    mixed = [
        sequence(temperature=0),
        sequence(temperature=0, presence_penalty=2, written=(1,)),
        sequence(seed=1, top_k=1),
        sequence(seed=1, min_p=1.0, stop_token_ids=(1,), min_tokens=5),
    ]
    assert sample(LOGITS.repeat(4, 1), mixed) == [1, 3, 1, 2]


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
