"""A step that was recorded on a CPU does the same again on other numbers, or is not recorded."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import LlamaForCausalLM

from inference.cpu_kernels.tape import Room, Tape, captured, looks_at_numbers
from inference.engine import Engine, EngineConfig
from tests.inference import tiny
from tests.inference.engine.conftest import request, run
from tests.inference.engine.inside import steps_captured

WIDTH = 24


def recorded(x: torch.Tensor, out: torch.Tensor, room: Room) -> Tape:
    """Views, copies, operators that write in place, and some that answer of their own dtype."""

    def work() -> None:
        first, second = x.t().reshape(2, -1).chunk(2)  # not a view
        sums = torch.cat((first + second, first * second), dim=-1).cos()
        sums.add_(sums.argmax())
        out.copy_(torch.where(sums > 1, sums, sums.double().sqrt().float())[0])

    found = captured(work, room)
    assert found is not None
    return found


def directly(x: torch.Tensor) -> torch.Tensor:
    first, second = x.t().reshape(2, -1)[:, None]
    sums = torch.cat((first + second, first * second), dim=-1).cos()
    sums = sums + sums.argmax()
    return torch.where(sums > 1, sums, sums.double().sqrt().float())[0]


@torch.inference_mode()
def test_a_tape_does_the_same_on_other_numbers() -> None:
    torch.manual_seed(0)
    x, out = torch.randn(WIDTH, 2), torch.empty(2 * WIDTH)
    tape = recorded(x, out, Room())
    for _ in range(3):
        assert torch.equal(out, directly(x))
        x.copy_(torch.randn(WIDTH, 2))
        assert not torch.equal(out, directly(x))
        tape.replay()


@torch.inference_mode()
def test_tapes_share_their_memory_and_spoil_nothing() -> None:
    torch.manual_seed(0)
    room, steps = Room(), []
    for width in (WIDTH, 8, 16):
        x, out = torch.randn(width, 2), torch.empty(2 * width)
        steps.append((x, out, recorded(x, out, room)))
        if width == WIDTH:
            largest = room.nbytes
    assert room.nbytes == largest > 0
    for x, out, tape in steps * 2:
        x.copy_(torch.randn_like(x))
        tape.replay()
        assert torch.equal(out, directly(x))


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x.unique(),
        lambda x: looks_at_numbers(),
    ],
    ids=["item", "condition", "nonzero", "mask", "unique", "said"],
)
def test_what_depends_on_numbers_is_not_recorded(look: object) -> None:
    assert callable(look)
    assert captured(lambda: look(torch.ones(3)), Room()) is None
    looks_at_numbers()  # may be said again: nothing is being recorded


def test_steps_that_decode_are_captured_at_every_size_in_fp32_and_none_in_bf16(tiny_model: LlamaForCausalLM) -> None:
    """There attention is torch's, told by numbers of each step. The texts are the same as with whole prompts."""
    for dtype in (torch.float32, torch.bfloat16):
        engine = Engine(
            copy.deepcopy(tiny_model).to(dtype), tiny.tokenizer(), EngineConfig(base_digest=tiny.DIGEST, max_running=3)
        )
        written = run(engine, *(request(str(i), "x" * (9 * i + 1), max_tokens=4 + 2 * i) for i in range(3))).tokens
        again = {}
        for i in range(3):
            told = request(str(i), "x" * (9 * i + 1), max_tokens=4 + 2 * i)
            again |= run(engine, told).tokens
        assert written == again
        assert steps_captured(engine) == ({1, 2, 3} if dtype == torch.float32 else set())
        engine.close()
