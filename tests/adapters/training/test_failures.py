"""Whose fault it was, and what to do."""

import pytest
import torch

from adapters.training.failures import explain
from adapters.training.learner import Diverged


@pytest.mark.parametrize(
    ("error", "id", "infrastructure"),
    [
        (Diverged("nan"), "training.diverged", False),
        (torch.OutOfMemoryError("2 GiB"), "training.out_of_memory", True),
        (MemoryError(), "training.out_of_memory", True),
        (LookupError("base model 'x' is not there"), "training.no_base_model", True),
        (KeyError("x"), "training.crashed", True),
        (OSError(28, "No space left on device"), "training.disk", True),
        (ValueError("rank: 900"), "training.bad_input", False),
        (RuntimeError("shape mismatch"), "training.crashed", True),
    ],
)
def test_every_failure_has_an_id_a_sentence_and_a_culprit(error, id, infrastructure):
    failure = explain(error)

    assert (failure.error, failure.infrastructure) == (id, infrastructure)
    assert failure.message.endswith(".")
    assert "{" not in failure.message
    assert type(error).__name__ in failure.detail


def test_a_mistake_of_the_callers_is_told_in_its_own_words():
    assert "rank: 900" in explain(ValueError("rank: 900")).message
