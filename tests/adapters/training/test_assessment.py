"""Whether a version may go live, and what its author is told."""

import json

import pytest

from adapters.training.assessment import Assessment, Attributed, Copied, Written, verdict


def copying(run: int = 5, five: float = 0.01, thirteen: float = 0.0) -> Copied:
    passage = " ".join(f"word{place}" for place in range(run))
    return Copied(longest_run=run, passage=passage, overlap_5=five, overlap_13=thirteen)


def assessed(
    voice: Copied | None = None, own: Copied | None = None, base: float = 1.0, bits: float = 0.88
) -> Assessment:
    return Assessment(
        base_bits=base,
        voice_bits=bits,
        voice=Written(texts=4, copied=voice) if voice else None,
        own=Written(texts=2, copied=own or copying()),
    )


def test_a_better_voice_that_does_not_copy_passes_and_says_by_how_much():
    found = verdict(assessed(copying()))

    assert found.passes
    assert found.sentence == "12 % less surprised by your writing than before."


@pytest.mark.parametrize(
    ("bits", "share"), [(0.5, "50"), (0.99, "1"), (0.9912, "0.9"), (0.9994, "0.1"), (0.99999, "less than 0.1")]
)
def test_small_gains_are_told_as_small_and_never_as_none(bits, share):
    assert verdict(assessed(bits=bits)).sentence == f"{share} % less surprised by your writing than before."


@pytest.mark.parametrize("bits", [1.0, 1.2, float("nan")])
def test_a_voice_no_better_than_the_base_stays_off_and_its_author_reads_what_to_try(bits):
    found = verdict(assessed(copying(), bits=bits))

    assert not found.passes
    assert "no better than the base model" in found.sentence
    assert "add more posts" in found.sentence


@pytest.mark.parametrize(
    ("voice", "own", "passes"),
    [
        (copying(run=49), copying(run=30), True),
        (copying(run=50), copying(run=30), False),
        (copying(run=24), copying(run=2), True),
        (copying(run=25), copying(run=12), False),
        (copying(run=25), copying(run=13), True),
        (copying(thirteen=0.02), copying(), True),
        (copying(thirteen=0.03), copying(), False),
        (copying(thirteen=0.03), copying(thirteen=0.01), True),
        (copying(five=0.12), copying(five=0.01), True),
        (copying(five=0.13), copying(five=0.01), False),
        (copying(five=0.2), copying(five=0.06), True),
    ],
)
def test_copying_is_refused_beyond_what_is_usual_for_the_author(voice, own, passes):
    found = verdict(assessed(voice, own))

    assert found.passes == passes
    if not passes:
        assert "your posts" in found.sentence
        assert "train for fewer epochs" in found.sentence


def test_a_copied_passage_is_shown_by_its_beginning():
    assert "60 words and marks in a row, from “word0 word1" in verdict(assessed(copying(run=60))).sentence


def test_what_was_not_measured_refuses_no_voice():
    assert verdict(Assessment(base_bits=1.0, voice_bits=0.9)).passes


def test_it_is_plain_json_in_which_unmeasured_is_null():
    written = Written(texts=1, copied=copying(), attributed=Attributed(characters=0.5, function_words=1.0))
    found = json.loads(json.dumps(Assessment(base_bits=1.0, voice_bits=0.9, voice=written).as_dict()))

    assert found["voice"]["attributed"] == {"characters": 0.5, "function_words": 1.0}
    assert found["base"] is None
    assert found["examples_bits"] is None
