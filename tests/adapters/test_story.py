"""What events add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters import story


@dataclass
class Told:
    seq: int
    kind: str
    data: dict[str, Any] = field(default_factory=dict)


def step(number: int, loss: float = 3.0, steps: int = 1000) -> dict[str, Any]:
    rate = {"learning_rate": 1e-3, "tokens_per_second": 1234.5, "eta_seconds": 130.0}
    return {"step": number, "steps": steps, "loss": loss, **rate}


def evaluation(number: int, bits: float, best: bool = True) -> dict[str, Any]:
    return {"step": number, "bits_per_byte": bits, "train_loss": 3.0, "best": best}


def told(*events: tuple[str, dict[str, Any]]) -> story.Story:
    return story.tell(Told(seq, kind, data) for seq, (kind, data) in enumerate(events, start=1))


def test_nothing_was_told_yet():
    assert (told().stage, told().last_seq, told().best) == ("queued", 0, None)


def test_a_measurement_is_seen_against_the_base_model():
    seen = told(("baseline", {"bits_per_byte": 1.25}), ("step", step(4)), ("evaluation", evaluation(4, 1.2)))
    assert seen.rows == [{"step": "4", "bits": "1.200", "change": "−4.0 %", "loss": "3.00"}]
    assert seen.curves == {"base": 1.25, "steps": None, "losses": [[4, 3.0]], "heldOut": [[4, 1.2]]}


def test_the_best_measurement_is_the_least():
    seen = told(
        ("evaluation", evaluation(1, 1.3)), ("evaluation", evaluation(2, 1.1)), ("evaluation", evaluation(3, 1.2))
    )
    assert seen.best == seen.measured[1]
    assert seen.measured[1].gain is None


BEFORE = [
    ("prepared", {"steps": 9}),
    ("baseline", {"bits_per_byte": 1.0}),
    ("step", step(1)),
    ("step", step(2)),
    ("evaluation", evaluation(2, 0.9)),
    ("step", step(3)),
    ("step", step(4)),
    ("evaluation", evaluation(4, 0.8)),
    ("step", step(5)),
]


@pytest.mark.parametrize("kind", ["requeued", "continued"])
def test_a_job_that_waits_to_be_taken_up_again_keeps_its_curves_and_says_why(kind):
    seen = told(*BEFORE, (kind, {"reason": "Why."}))
    assert (seen.stage, seen.again, seen.pending, seen.step) == ("queued", "Why.", True, {})
    assert (seen.base, len(seen.losses), len(seen.measured), seen.last_seq) == (1.0, 5, 2, 10)


AGAIN = [("requeued", {"reason": "Why."}), ("loading", {}), ("prepared", {"steps": 9})]


def test_a_job_that_goes_on_from_a_checkpoint_keeps_its_curves_up_to_there():
    assert told(*BEFORE, *AGAIN).pending
    seen = told(*BEFORE, *AGAIN, ("resumed", {"step": 3, "steps": 9}))
    assert (seen.again, seen.pending, seen.resumed) == ("Why.", False, 3)
    assert seen.curves == {"base": 1.0, "steps": 9, "losses": [[1, 3.0], [2, 3.0], [3, 3.0]], "heldOut": [[2, 0.9]]}
    on = told(*BEFORE, *AGAIN, ("resumed", {"step": 3, "steps": 9}), ("step", step(4, 2.0)))
    assert on.losses[-1] == (4, 2.0)


def test_a_job_that_is_begun_anew_starts_with_empty_curves_and_says_why():
    seen = told(*BEFORE, *AGAIN, ("baseline", {"bits_per_byte": 1.1}))
    assert (seen.prepared, seen.base, seen.losses, seen.measured) == ({"steps": 9}, 1.1, [], [])
    assert (seen.again, seen.pending, seen.resumed) == ("Why.", False, None)


def test_of_several_learning_rates_the_one_that_is_ahead_is_shown():
    several = [("evaluation", evaluation(4, bits)) for bits in (1.2, 1.1, 1.3)]
    seen = told(("baseline", {"bits_per_byte": 1.25}), *several, ("evaluation", evaluation(8, 1.15)))
    assert seen.curves["heldOut"] == [[4, 1.1], [8, 1.15]]


def test_the_figures_of_the_latest_step_are_put_into_words():
    assert told(("step", step(12, 2.345, steps=84))).words == {
        "step": "12 of 84",
        "left": "about 2 minutes left",
        "speed": "1,234 tokens a second",
        "loss": "2.35",
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds"),
        (40, "less than a minute"),
        (55, "about 1 minute"),
        (150, "about 2 minutes"),
        (3599, "about 1 hour"),
        (4500, "about 1 hour 10 minutes"),
        (7300, "about 2 hours"),
    ],
)
def test_times_are_told_roughly(seconds, words):
    assert story.duration(seconds) == words


def test_a_long_curve_is_thinned_by_averages():
    seen = told(*[("step", step(number, float(number))) for number in range(1, 1001)])
    losses = seen.curves["losses"]
    assert len(losses) == story.POINTS
    assert losses[0] == [3.0, 3.0]


def test_what_was_written_on_the_way_is_told_by_brief_with_the_newest_first():
    def sample(number: int, brief: str) -> tuple[str, dict[str, Any]]:
        return "sample", {"step": number, "brief": brief, "text": f"{brief} {number}"}

    events = [sample(0, "Frost"), sample(0, "Rain"), ("step", step(3)), sample(4, "Frost"), sample(4, "Rain")]
    seen = told(*events, sample(8, "Frost"))
    assert [written.text for written in seen.samples["Frost"]] == ["Frost 8", "Frost 4", "Frost 0"]
    assert seen.samples["Frost"][0].when == "After step 8"
    assert seen.samples["Rain"][-1].when == "The base model, before the first step"
    assert seen.stage == "step"
    resumed = ("resumed", {"step": 5, "steps": 9})
    on = told(*events, sample(8, "Frost"), ("requeued", {"reason": "Why."}), resumed)
    assert [written.step for written in on.samples["Frost"]] == [4, 0]


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (3, 15, "a few seconds"),
        (20, 45, "less than a minute"),
        (20, 80, "about 1 minute"),
        (25, 200, "up to 3 minutes"),
        (170, 250, "about 3 to 4 minutes"),
        (610, 890, "about 10 to 15 minutes"),
        (600, 615, "about 10 minutes"),
        (3000, 4800, "about 50 minutes to 1 hour 20 minutes"),
        (7300, 11000, "about 2 hours to 3 hours"),
    ],
)
def test_spans_are_told_roughly(low, high, words):
    assert story.Span(low=low, high=high).words == words


def test_a_step_tells_the_span_that_the_worker_made_of_the_trainers_figure():
    assert told(("step", step(12) | {"eta_low": 170.0, "eta_high": 250.0})).words["left"] == "about 3 to 4 minutes left"


def test_the_place_in_the_queue_is_told_with_the_wait():
    wait = story.Span(low=610, high=890)
    assert story.place_in_words(2, wait) == "2 before yours, about 10 to 15 minutes"
    assert story.place_in_words(2, None) == "2 before yours"
    assert story.place_in_words(0, wait) == "Next in line"
