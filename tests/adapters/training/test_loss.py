"""The loss where labels are, against transformers' own."""

import pytest
import torch

from adapters.training import loss
from adapters.training.batch import batch
from adapters.training.loss import negative_log_likelihood, require_plain_output
from adapters.training.prompts import IGNORED

ROWS = [([5, 6, 7, 8, 9, 10], [IGNORED, IGNORED, 7, 8, 9, 10]), ([11, 12, 13], [IGNORED, 12, 13])]


def theirs(model, rows):
    total = torch.zeros(())
    for ids, labels in rows:
        out = model(input_ids=torch.tensor([ids]), labels=torch.tensor([labels]))
        total = total + out.loss * sum(label != IGNORED for label in labels[1:])
    return total


def test_it_is_the_loss_that_transformers_gives_row_by_row(tiny):
    with torch.no_grad():
        ours, expected = negative_log_likelihood(tiny, batch(ROWS, tiny.device)).sum(), theirs(tiny, ROWS)

    assert float(ours) == pytest.approx(float(expected), rel=1e-6)


def test_rows_weigh_what_they_are_given_and_filling_weighs_nothing(tiny):
    weights = [0.25, 3.0]
    with torch.no_grad():
        filled = batch(ROWS, tiny.device, owners=[0, 1], weights=weights, length_step=32, labelled_step=64)
        ours = negative_log_likelihood(tiny, filled)
        expected = [weight * theirs(tiny, [row]) for weight, row in zip(weights, ROWS, strict=True)]

    assert (filled.ids.shape, ours.shape) == ((2, 32), (64,))
    of_owners = torch.zeros(2).index_add_(0, filled.owners, ours)
    torch.testing.assert_close(of_owners, torch.stack(expected), rtol=1e-5, atol=1e-6)


def test_its_gradient_is_the_one_that_transformers_gives(tiny, monkeypatch):
    monkeypatch.setitem(loss.BYTES_AT_ONCE, "cpu", 2 * 4 * tiny.config.vocab_size)  # chunks of 2, the last one short
    tiny.get_output_embeddings().weight.requires_grad_(False)
    weight = tiny.model.layers[0].mlp.up_proj.weight

    losses = negative_log_likelihood(tiny, batch(ROWS, tiny.device))
    losses.backward(torch.ones_like(losses))
    ours, weight.grad = weight.grad, None
    theirs(tiny, ROWS).backward()

    torch.testing.assert_close(ours, weight.grad, rtol=1e-5, atol=1e-7)


def test_logits_are_never_made_for_more_than_a_chunk(tiny, monkeypatch):
    monkeypatch.setitem(loss.BYTES_AT_ONCE, "cpu", 16 * 4 * tiny.config.vocab_size)
    made = []
    linear = torch.nn.functional.linear
    monkeypatch.setattr(torch.nn.functional, "linear", lambda *a, **k: made.append(out := linear(*a, **k)) or out)
    ids = list(range(10, 110))
    negative_log_likelihood(tiny, batch([(ids, ids)], tiny.device))

    of_vocabulary = [out.shape[0] for out in made if out.shape[-1] == tiny.config.vocab_size]
    assert sum(of_vocabulary) == 99
    assert max(of_vocabulary) == 16


def test_a_model_that_caps_its_logits_is_refused_by_name(tiny, monkeypatch):
    forward = tiny.forward

    def capped(**inputs):
        out = forward(**inputs)
        out.logits = torch.tanh(out.logits * 10)
        return out

    require_plain_output(tiny)
    monkeypatch.setattr(tiny, "forward", capped)
    with pytest.raises(ValueError, match="LlamaForCausalLM"):
        require_plain_output(tiny)
