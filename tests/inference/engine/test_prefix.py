"""What was read once is not read again for the same voice, and never serves another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from inference.engine import Engine, Request
from inference.engine.memory import Memory
from inference.engine.prefix import PAGE, Held, Pages
from tests.inference import tiny
from tests.inference.engine.conftest import FRAME, request, run
from tests.inference.engine.inside import hopeful

LONG = tuple(range(30, 30 + 5 * PAGE))


def pages_of(frames: int) -> tuple[Memory, Pages]:
    memory = Memory(torch.zeros(frames + 1, 1))
    return memory, Pages(memory, keep=True)


def read_all(pages: Pages, adapter: str | None, tokens: Sequence[int]) -> tuple[Held, int]:
    """A sequence that has read all its tokens; and how many of them it found."""
    held = Held()
    found = pages.hold(held, adapter, tokens)
    assert pages.grow(held, len(tokens))
    pages.learn(held, tokens, len(tokens))
    return held, found


def test_full_pages_are_found_while_they_are_held_and_after() -> None:
    _, pages = pages_of(20)
    first, _ = read_all(pages, "a", LONG)
    second, found = read_all(pages, "a", (*LONG, 1))
    assert found == 5 * PAGE
    assert second.pages[:5] == first.pages
    pages.release(first, now=1.0)
    pages.release(second, now=2.0)
    assert read_all(pages, "a", LONG[: 3 * PAGE + 5])[1] == 3 * PAGE


def test_one_token_is_always_left_to_read() -> None:
    _, pages = pages_of(20)
    read_all(pages, "a", LONG)
    assert read_all(pages, "a", LONG)[1] == 4 * PAGE


def test_half_a_page_is_nobodys_but_its_readers() -> None:
    memory, pages = pages_of(20)
    held, _ = read_all(pages, "a", LONG[: 2 * PAGE + 5])
    pages.release(held, now=1.0)
    assert pages.frames() == 2
    assert memory.frames_in_pages == 2


def test_tokens_that_are_not_in_the_cache_yet_are_not_found() -> None:
    _, pages = pages_of(20)
    held = Held()
    pages.hold(held, "a", LONG)
    pages.grow(held, len(LONG))
    pages.learn(held, LONG, PAGE + 3)
    assert len(pages.match("a", LONG)) == 1


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("a", None), (None, "a")])
def test_voices_never_find_each_others_pages(one: str | None, other: str | None) -> None:
    _, pages = pages_of(20)
    read_all(pages, one, LONG)
    assert pages.match(one, LONG)
    assert pages.match(other, LONG) == []


def test_the_same_tokens_behind_another_beginning_are_another_page() -> None:
    _, pages = pages_of(20)
    read_all(pages, "a", LONG)
    other = (99, *LONG[1:])
    assert pages.match("a", other) == []
    read_all(pages, "a", other)
    assert not set(pages.match("a", other)) & set(pages.match("a", LONG))


def test_two_who_read_the_same_at_the_same_time_leave_one_copy() -> None:
    memory, pages = pages_of(20)
    both = [Held(), Held()]
    for held in both:
        pages.hold(held, "a", LONG)
        pages.grow(held, len(LONG))
    for upto in (PAGE, 3 * PAGE, len(LONG)):
        for held in both:
            pages.learn(held, LONG, upto)
    assert memory.frames_in_pages == 10
    for now, held in enumerate(both):
        pages.release(held, now=now)
    assert memory.frames_in_pages == pages.frames() == 5
    assert len(pages.match("a", LONG)) == 4


def test_of_kept_pages_ends_go_before_beginnings_and_old_before_new() -> None:
    memory, pages = pages_of(20)
    old, _ = read_all(pages, "a", LONG[: 2 * PAGE])
    new, _ = read_all(pages, "b", LONG[: 2 * PAGE])
    pages.release(old, now=1.0)
    pages.release(new, now=2.0)
    left = []
    for _ in range(4):
        pages.reclaim()
        left.append((len(pages.match("a", LONG)), len(pages.match("b", LONG))))
    assert left == [(1, 2), (0, 2), (0, 1), (0, 0)]
    assert memory.free == memory.count


def test_a_page_that_was_used_again_is_not_the_next_to_go() -> None:
    _, pages = pages_of(20)
    for now, adapter in enumerate("ab"):
        pages.release(read_all(pages, adapter, LONG[:PAGE])[0], now=now)
    pages.release(read_all(pages, "a", (*LONG[:PAGE], 1))[0], now=5)
    pages.reclaim()
    assert (len(pages.match("a", LONG)), len(pages.match("b", LONG))) == (1, 0)


def test_children_of_a_reclaimed_page_are_found_under_no_other() -> None:
    """Whoever gets the page's number, tokens that followed the old page must not be read behind the new one."""
    _, pages = pages_of(4)
    short, long = Held(), Held()
    for held, upto in ((short, PAGE), (long, 2 * PAGE)):  # at the same time: each reads the beginning itself
        pages.hold(held, "a", LONG[:upto])
        pages.grow(held, upto)
    pages.learn(short, LONG[:PAGE], PAGE)
    pages.learn(long, LONG[: 2 * PAGE], 2 * PAGE)
    pages.release(short, now=1.0)
    pages.release(long, now=2.0)
    parent, child = pages.match("a", LONG)
    pages.reclaim()
    assert pages.match("a", LONG) == []  # the child is there, and nobody can tell what it stood behind

    other = (*range(200, 200 + PAGE), *LONG[PAGE : 3 * PAGE])
    held, _ = read_all(pages, "a", other[:PAGE])
    again, _ = read_all(pages, "a", LONG[:PAGE])
    assert parent in (*held.pages, *again.pages)
    assert pages.match("a", other) == held.pages
    assert pages.match("a", LONG) == again.pages
    assert child not in (*held.pages, *again.pages)


def test_what_an_adapter_wrote_can_be_forgotten() -> None:
    memory, pages = pages_of(20)
    for adapter in ("a", "b"):
        pages.release(read_all(pages, adapter, LONG)[0], now=1.0)
    pages.forget("a")
    assert pages.match("a", LONG) == []
    assert len(pages.match("b", LONG)) == 4
    assert memory.frames_in_pages == 5


def test_without_the_cache_nothing_is_kept() -> None:
    memory = Memory(torch.zeros(21, 1))
    pages = Pages(memory, keep=False)
    held, _ = read_all(pages, "a", LONG)
    other, found = read_all(pages, "a", LONG)
    assert found == 0
    assert not set(held.pages) & set(other.pages)
    pages.release(held, now=1.0)
    pages.release(other, now=1.0)
    assert memory.free == memory.count


# The engine


@pytest.fixture
def voice(voices: dict[str, Path]) -> str:
    return next(iter(voices))


@pytest.fixture
def engine(make_engine: Callable[..., Engine], voices: dict[str, Path]) -> Engine:
    engine = make_engine(prefill_tokens=PAGE)
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    return engine


@pytest.fixture
def peft(tiny_model: LlamaForCausalLM, voices: dict[str, Path]) -> Callable[..., list[int]]:
    """What PEFT writes; ask before an engine takes the model over."""

    def write(adapter: str | None, prompt: Sequence[int], tokens: int = 12) -> list[int]:
        return tiny.generate(tiny_model, voices[adapter] if adapter else None, prompt, tokens)

    return write


def steps_to_end(engine: Engine, asked: Request) -> tuple[list[int], int]:
    engine.submit(asked)
    tokens: list[int] = []
    steps = 0
    while engine.has_work():
        tokens += [token for output in engine.step() for token in output.token_ids]
        steps += 1
    return tokens, steps


def test_a_second_request_reads_only_what_is_new(
    peft: Callable[..., list[int]], make_engine: Callable[..., Engine], voices: dict[str, Path], voice: str
) -> None:
    prompts = [LONG, (*LONG, 7, 8, 9)]
    expected = [peft(voice, prompt) for prompt in prompts]
    engine = make_engine(prefill_tokens=PAGE)
    engine.add_adapter(voice, voices[voice])
    assert steps_to_end(engine, request("first", prompts[0], voice)) == (expected[0], 5 + 11)
    assert engine.snapshot().prefix_hits == 0
    assert steps_to_end(engine, request("second", prompts[1], voice)) == (expected[1], 1 + 11)
    snapshot = engine.snapshot()
    assert (snapshot.prefix_queries, snapshot.prefix_hits) == (len(prompts[0]) + len(prompts[1]), 5 * PAGE)


def test_an_answer_is_not_read_again_in_the_next_turn(
    peft: Callable[..., list[int]], make_engine: Callable[..., Engine], voices: dict[str, Path], voice: str
) -> None:
    history = LONG[:20]
    answer = peft(voice, history, 30)
    turn = (*history, *answer, 5, 6, 7)
    expected = peft(voice, turn)
    engine = make_engine(prefill_tokens=PAGE)
    engine.add_adapter(voice, voices[voice])
    assert steps_to_end(engine, request("first", history, voice, max_tokens=30))[0] == answer
    assert steps_to_end(engine, request("next", turn, voice))[0] == expected
    assert engine.snapshot().prefix_hits == 48  # of the 49 tokens that were in the cache


def test_a_beginning_is_shared_while_the_first_still_writes(
    peft: Callable[..., list[int]], make_engine: Callable[..., Engine]
) -> None:
    prompt = (*LONG, 7, 8, 9)
    expected = {"first": peft(None, LONG, 40), "second": peft(None, prompt)}
    engine = make_engine(prefill_tokens=PAGE)
    tokens: dict[str, list[int]] = {"first": [], "second": []}
    engine.submit(request("first", LONG, max_tokens=40))
    steps = 0
    while engine.has_work():
        if steps == 10:
            engine.submit(request("second", prompt))
        for output in engine.step():
            tokens[output.request_id] += output.token_ids
        steps += 1
        if steps == 11:
            assert len(tokens["second"]) == 1
            assert engine.snapshot().page_bytes == (6 + 1) * FRAME
    assert tokens == expected


def test_the_same_prompt_of_every_voice_is_read_anew(
    peft: Callable[..., list[int]], make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    cases = [None, *voices, None, *voices]
    expected = {voice: peft(voice, LONG) for voice in cases}
    assert len({tuple(tokens) for tokens in expected.values()}) == 7
    engine = make_engine()
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    hits = []
    for i, voice in enumerate(cases):
        assert run(engine, request(str(i), LONG, voice)).tokens[str(i)] == expected[voice]
        hits.append(engine.snapshot().prefix_hits)
    assert hits == [0] * 7 + [4 * PAGE * i for i in range(1, 8)]


def test_the_same_prompt_of_every_voice_at_once(
    peft: Callable[..., list[int]], make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    expected = {str(voice): peft(voice, LONG) for voice in (None, *voices)}
    engine = make_engine(prefill_tokens=10)
    for digest, folder in voices.items():
        engine.add_adapter(digest, folder)
    for _ in range(2):
        assert run(engine, *(request(str(voice), LONG, voice) for voice in (None, *voices))).tokens == expected


def test_a_voice_that_is_loaded_again_finds_nothing(engine: Engine, voices: dict[str, Path], voice: str) -> None:
    first = run(engine, request("first", LONG, voice)).tokens["first"]
    run(engine, request("base", LONG))
    kept = engine.snapshot().prefix_bytes
    engine.remove_adapter(voice)
    assert engine.snapshot().prefix_bytes == kept - 5 * FRAME
    engine.add_adapter(voice, voices[voice])
    assert run(engine, request("again", LONG, voice)).tokens["again"] == first
    assert engine.snapshot().prefix_hits == 0


def test_texts_stay_right_when_kept_pages_make_room(
    peft: Callable[..., list[int]], make_engine: Callable[..., Engine], voices: dict[str, Path]
) -> None:
    a, b = list(voices)[:2]
    prompts = [tuple(range(i, i + 60)) for i in range(6)]
    cases = [(voice, prompt) for prompt in prompts for voice in (a, b, None)]
    expected = {case: peft(*case) for case in cases}
    engine = make_engine(memory_bytes=36 * FRAME, max_rank=16, max_running=3)
    for digest in (a, b):
        engine.add_adapter(digest, voices[digest])
    for turn in range(2):
        written = run(engine, *(request(f"{turn} {i}", prompt, v) for i, (v, prompt) in enumerate(cases)))
        assert written.tokens == {f"{turn} {i}": expected[case] for i, case in enumerate(cases)}
    assert engine.snapshot().prefix_bytes > 0


def test_kept_pages_never_refuse_a_request_its_memory(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(memory_bytes=18 * FRAME, max_rank=8)
    for i in range(12):
        assert len(run(engine, request(str(i), tuple(range(i, i + 100)))).tokens[str(i)]) == 12
    assert engine.snapshot().prefix_bytes > 0
    assert engine.snapshot().preemptions == 0


def test_a_preempted_request_finds_what_it_had_read(make_engine: Callable[..., Engine]) -> None:
    engine = hopeful(make_engine(memory_bytes=24 * FRAME, max_rank=8, prefill_tokens=PAGE))
    asked = [request(str(i), tuple(range(i, i + 90)), max_tokens=50) for i in range(3)]
    alone = {id: tokens for each in asked for id, tokens in run(engine, each).tokens.items()}
    hits = engine.snapshot().prefix_hits
    written = run(engine, *asked)
    assert written.tokens == alone
    assert engine.snapshot().preemptions > 0
    assert engine.snapshot().prefix_hits > hits


def test_the_prefix_cache_can_be_switched_off(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine(prefill_tokens=PAGE, prefix_cache=False)
    both = [steps_to_end(engine, request(id, LONG)) for id in "ab"]
    assert both[0] == both[1]
    snapshot = engine.snapshot()
    assert (snapshot.prefix_hits, snapshot.prefix_bytes, snapshot.page_bytes) == (0, 0, 0)
