"""Owners share the engine whatever each has asked for, and nobody is forgotten."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.engine import Engine, Request, SamplingParams
from inference.engine.sequence import Sequence
from inference.engine.turns import Turns
from tests.inference.engine.conftest import FRAME, Written, request, run
from tests.inference.engine.inside import Clock, hopeful

_numbers = itertools.count()


def waits(owner: str, tokens: int = 10, *, arrived: float | None = None) -> Sequence:
    made = Sequence(
        Request(id=f"{owner} {next(_numbers)}", prompt=(1,) * tokens, owner=owner, sampling=SamplingParams()),
        number=next(_numbers),
        context=1000,
        end_ids=frozenset(),
        tokenizer=None,
    )
    if arrived is not None:
        made.arrived = arrived
    return made


def owners(turns: Turns, count: int = 1000) -> list[str]:
    return [sequence.owner for sequence in itertools.islice(turns.order(), count)]


def serve(turns: Turns, owner: str, tokens: int) -> None:
    """As if it had come, been written so many tokens, and left."""
    sequence = waits(owner, 1)
    turns.add(sequence)
    turns.start(sequence)
    turns.charge(sequence, read=tokens)
    turns.stop(sequence)


@pytest.fixture
def turns() -> Turns:
    return Turns(patience=10.0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_within_an_owner_first_come_is_first_served(turns: Turns) -> None:
    mine = [waits("ada", 10 * i) for i in (9, 1, 5)]
    for sequence in mine:
        turns.add(sequence)
    assert list(turns.order()) == mine


def test_one_that_was_preempted_goes_before_those_that_came_later(turns: Turns) -> None:
    first, second, third = (waits("ada") for _ in range(3))
    for sequence in (first, second, third):
        turns.add(sequence)
    for sequence in (first, second):
        turns.start(sequence)
    for sequence in (second, first):
        turns.stop(sequence)
        turns.add(sequence, again=True)
    assert list(turns.order()) == [first, second, third]


def test_who_was_served_least_goes_first(turns: Turns) -> None:
    asked = {owner: waits(owner) for owner in ("ada", "ben", "cy")}
    for sequence in asked.values():
        turns.add(sequence)
    for owner, tokens in (("ada", 300), ("ben", 100), ("cy", 200)):
        turns.charge(asked[owner], read=tokens)
    assert owners(turns) == ["ben", "cy", "ada"]


def test_a_written_token_costs_two_that_are_read(turns: Turns) -> None:
    ada, ben = waits("ada"), waits("ben")
    for sequence in (ada, ben):
        turns.add(sequence)
    turns.charge(ada, written=60)
    turns.charge(ben, read=110)
    assert owners(turns) == ["ben", "ada"]


def test_owners_who_wait_alternate_by_the_length_of_what_they_ask(turns: Turns) -> None:
    for _ in range(4):
        turns.add(waits("ada", 20))
    for _ in range(4):
        turns.add(waits("ben", 10))
    assert owners(turns, 6) == ["ada", "ben", "ben", "ada", "ben", "ben"]


def test_a_thousand_requests_of_one_owner_stand_behind_one_of_another(turns: Turns) -> None:
    for _ in range(1000):
        turns.add(waits("flood"))
    turns.add(waits("ada"))
    assert owners(turns, 2) == ["flood", "ada"]


def test_who_pauses_saves_nothing_up(turns: Turns) -> None:
    steady = waits("steady")
    turns.add(steady)
    turns.charge(steady, read=10_000)
    for _ in range(100):
        turns.add(waits("back"))
    assert Counter(owners(turns, 4)) == {"steady": 1, "back": 3}  # its second one comes before the other's third
    assert turns.served("back") == turns.served("steady")


def test_who_used_the_engine_while_it_was_idle_owes_nothing_for_it(turns: Turns) -> None:
    serve(turns, "busy all day", 1_000_000)
    for _ in range(100):
        turns.add(waits("newcomer"))
    turns.add(waits("busy all day"))
    assert "busy all day" in owners(turns, 3)


def test_who_used_what_another_left_owes_nothing_for_it(turns: Turns) -> None:
    slow = waits("slow")
    turns.add(slow)
    turns.start(slow)
    serve(turns, "busy", 1_000_000)  # while `slow` has all that it asked for
    for _ in range(100):
        turns.add(waits("newcomer"))
    turns.add(waits("busy"))
    assert "busy" in owners(turns, 3)


def test_who_wrote_much_since_the_last_one_started_owes_nothing_for_it(turns: Turns) -> None:
    busy, light = waits("busy"), waits("light")
    for sequence in (busy, light):
        turns.add(sequence)
        turns.start(sequence)
    turns.charge(busy, written=1_000_000)
    for _ in range(100):
        turns.add(waits("newcomer"))
    turns.add(waits("busy"))
    assert "busy" in owners(turns, 3)


def test_owners_who_left_are_forgotten_in_the_end(turns: Turns) -> None:
    for i in range(20_100):
        serve(turns, f"owner {i}", 1)
    assert len(turns._served) <= 10_001


def test_who_has_waited_too_long_goes_first_whatever_the_counters_say(turns: Turns, clock: Clock) -> None:
    old = waits("rich")
    turns.add(old)
    clock.ahead = 5
    for _ in range(10):
        turns.add(waits("poor"))
    turns.charge(old, read=1_000_000)
    assert owners(turns)[0] == "poor"
    clock.ahead = 11
    assert owners(turns)[0] == "rich"
    assert len(owners(turns)) == 11


def test_one_that_steps_back_for_the_first_in_line_is_not_next_in_the_same_line(turns: Turns, clock: Clock) -> None:
    """A step in flight may still choose a token for it."""
    old, young = waits("old"), waits("young")
    turns.add(young)
    turns.start(young)
    turns.add(old)
    clock.ahead = 11
    line = turns.order()
    assert next(line) is old
    turns.start(old)
    turns.stop(young)
    turns.add(young, again=True)
    assert list(line) == []


def owned(id: str, owner: str, prompt: str = "Once", **sampling: int) -> Request:
    asked = request(id, prompt, **sampling)
    return Request(id=id, prompt=asked.prompt, owner=owner, sampling=asked.sampling)


def first_token(engine: Engine, asked: Request) -> int:
    """Steps until it comes."""
    engine.submit(asked)
    for steps in range(1, 500):
        if any(output.request_id == asked.id and output.token_ids for output in engine.step()):
            return steps
    raise AssertionError("never")


def flood(engine: Engine, prompt: str = "Once", count: int = 1000) -> None:
    for i in range(count):
        engine.submit(owned(f"flood {i}", "flood", prompt, max_tokens=40))


def test_a_flood_does_not_keep_another_from_a_place(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=4, max_waiting=2000)
    flood(engine)
    for _ in range(10):
        engine.step()
    assert first_token(engine, owned("one", "ada")) <= 3


def test_a_flood_that_has_gone_on_for_longer_than_patience_does_not_either(
    make_engine: Callable[..., Engine], clock: Clock
) -> None:
    engine = make_engine(max_running=4, max_waiting=2000, patience_seconds=10)
    flood(engine)
    for _ in range(5):
        engine.step()
    clock.ahead = 60
    for _ in range(5):
        engine.step()
    assert first_token(engine, owned("one", "ada")) <= 3


def test_a_flood_of_long_prompts_is_read_behind_anothers_short_one(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=8, max_waiting=2000, prefill_tokens=8, prefix_cache=False)
    flood(engine, "x" * 200)
    for _ in range(3):
        engine.step()
    assert first_token(engine, owned("one", "ada", "abcd")) <= 2


def test_a_flood_of_long_texts_does_not_keep_another_from_memory(make_engine: Callable[..., Engine]) -> None:
    engine = hopeful(make_engine(max_running=64, max_waiting=2000, memory_bytes=40 * FRAME, max_rank=8))
    flood(engine, "x" * 60, 100)
    for _ in range(10):
        engine.step()
    assert engine.snapshot().running < 10  # memory is what they lack
    assert first_token(engine, owned("one", "ada", "y" * 60)) <= 3


def test_a_flood_keeps_one_place_when_more_owners_come_than_there_are_places(
    make_engine: Callable[..., Engine],
) -> None:
    engine = make_engine(max_running=4, max_waiting=2000)
    for i in range(100):
        engine.submit(owned(f"flood {i}", "flood", max_tokens=200))
    for _ in range(5):
        engine.step()
    for i in range(6):
        engine.submit(owned(f"one {i}", f"owner {i}"))
    first: dict[str, int] = {}
    for step in range(60):
        for output in engine.step():
            first.setdefault(output.request_id, step)
    waited = [first.get(f"one {i}", 1000) for i in range(6)]
    assert max(waited[:3]) <= 3
    assert max(waited) <= 18  # behind the others' twelve tokens
    assert engine.snapshot().preemptions == 3


def test_places_are_shared_equally_between_those_who_want_more(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=4, max_waiting=2000)
    flood(engine, count=30)
    engine.step()
    for i in range(30):
        engine.submit(owned(f"ada {i}", "ada", max_tokens=40))
    got: Counter[str] = Counter()
    for _ in range(200):
        got.update(output.request_id.split()[0] for output in engine.step() if output.token_ids)
    assert got["ada"] == pytest.approx(got["flood"], rel=0.2)


def test_preempting_for_others_comes_to_rest(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=4, max_waiting=2000)
    for i in range(8):
        for owner in ("ada", "ben", "cy"):
            engine.submit(owned(f"{owner} {i}", owner, max_tokens=20))
    run(engine)
    assert engine.snapshot().preemptions <= 8  # of 24 requests


def test_one_owner_steps_back_for_another_at_most_once_each(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(max_running=4, max_waiting=2000)
    flood(engine, count=20)
    written = Written()
    written.add(engine.step())
    for i in range(10):
        engine.submit(owned(f"ada {i}", "ada", max_tokens=10))
    while engine.has_work():
        written.add(engine.step())
    assert engine.snapshot().preemptions <= 4
    assert {id: len(tokens) for id, tokens in written.tokens.items()} == {
        **{f"flood {i}": 40 for i in range(20)},
        **{f"ada {i}": 10 for i in range(10)},
    }


def test_who_has_waited_too_long_is_admitted_although_its_owner_was_served_most(
    make_engine: Callable[..., Engine], clock: Clock
) -> None:
    engine = make_engine(max_running=1, max_waiting=2000, patience_seconds=10)
    engine.submit(owned("keeps the engine busy", "ben", max_tokens=100))
    engine.step()
    for i in range(3):
        engine.submit(owned(f"rich {i}", "ada", "x" * 200, max_tokens=1))
    engine.cancel("keeps the engine busy")
    engine.step()
    for i in range(50):
        engine.submit(owned(f"poor {i}", f"poor {i}", "x", max_tokens=2))
    clock.ahead = 11
    served = list(dict.fromkeys(output.request_id for _ in range(20) for output in engine.step()))
    assert served.index("rich 1") <= 1


def test_no_owner_is_an_owner_for_each_adapter(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> None:
    engine = make_engine(max_running=2, max_waiting=2000)
    digest = next(iter(voices))
    engine.add_adapter(digest, voices[digest])
    for i in range(100):
        engine.submit(request(str(i), adapter=digest, max_tokens=40))
    for _ in range(5):
        engine.step()
    assert first_token(engine, request("one")) <= 3
