"""What the base model is trained in on which machine."""

import pytest

from adapters import base_model
from adapters.training import precision


@pytest.mark.parametrize(("fast", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_a_cpu_trains_in_bf16_where_it_multiplies_bf16(monkeypatch, fast, expected):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda: fast)

    assert precision.chosen("cpu", "auto") == expected


def test_a_gpu_trains_in_bf16_and_what_was_asked_for_stays(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bf16", lambda: False)

    assert precision.chosen("cuda:1", "auto") == "bfloat16"
    assert precision.chosen("cpu", "float32") == "float32"


def test_four_bits_without_a_gpu_are_refused_with_what_is_missing(tiny_folder):
    with pytest.raises(ValueError, match="nf4 needs .*(GPU|bitsandbytes)"):
        base_model.load(tiny_folder, device="cpu", dtype="nf4")
