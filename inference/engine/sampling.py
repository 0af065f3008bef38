"""Sampling: one token a sequence from a step's logits, each by its own parameters.
Knows penalties and filters. Knows nothing of models, caches or text."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from inference.engine.device import to_device
from inference.engine.sequence import Sequence
from inference.engine.types import TokenLogprobs


def is_greedy(sequence: Sequence) -> bool:
    """Whether the likeliest token is the answer as it stands."""
    return sequence.request.sampling.temperature == 0 and not _changed(sequence)


def choose(logits: torch.Tensor, sequences: list[Sequence]) -> torch.Tensor:
    """logits is (sequences, vocabulary) and stays as it is; a token for each, (sequences,) int64 on its device."""
    if all(is_greedy(sequence) for sequence in sequences):
        return logits.argmax(dim=-1)
    logits = logits.to(torch.float32, copy=True)
    _change(logits, sequences)
    tokens = logits.argmax(dim=-1)
    drawn = [i for i, sequence in enumerate(sequences) if sequence.request.sampling.temperature > 0]
    if len(drawn) == len(sequences):
        return _draw(logits, sequences)
    if drawn:
        tokens[drawn] = _draw(logits[drawn], [sequences[i] for i in drawn])
    return tokens


@dataclass(frozen=True, kw_only=True)
class Logprobs:
    """Of some rows of a step, on their way to the host."""

    chosen: torch.Tensor
    """(rows,)"""
    top: torch.Tensor
    """(rows, most) values, largest first, and their `ids`."""
    ids: torch.Tensor

    def read(self, row: int, count: int) -> TokenLogprobs:
        """Once the step has run."""
        top = zip(self.ids[row, :count].tolist(), self.top[row, :count].tolist(), strict=True)
        return TokenLogprobs(logprob=self.chosen[row].item(), top=tuple(top))


def logprobs(logits: torch.Tensor, tokens: torch.Tensor, most: int) -> Logprobs:
    """Of (rows, vocabulary) logits as the model gives them, of the chosen (rows,) tokens and of `most` likeliest."""
    values = torch.log_softmax(logits.float(), dim=-1)
    chosen = values.gather(-1, tokens[:, None])[:, 0]
    top, ids = values.topk(most, dim=-1)
    return Logprobs(
        **{name: t.to("cpu", non_blocking=True) for name, t in (("chosen", chosen), ("top", top), ("ids", ids))}
    )


def _changed(sequence: Sequence) -> bool:
    biased = bool(sequence.request.sampling.logit_bias)
    return biased or sequence.needs_history or (sequence.must_go_on and bool(sequence.end_ids))


def _change(logits: torch.Tensor, sequences: list[Sequence]) -> None:
    """Bias and penalties as OpenAI and vLLM define them, in place on (sequences, vocabulary)."""
    biased = [(row, token, -bias) for row, s in enumerate(sequences) for token, bias in s.request.sampling.logit_bias]
    repeated: list[tuple[int, int, float]] = []  # row, token, value
    written: list[tuple[int, int, float]] = []
    forbidden: list[tuple[int, int, float]] = []
    for row, sequence in enumerate(sequences):
        sampling = sequence.request.sampling
        if sampling.repetition_penalty != 1:
            seen = {*sequence.request.prompt, *sequence.written}
            repeated += [(row, token, sampling.repetition_penalty) for token in seen]
        if sampling.presence_penalty or sampling.frequency_penalty:
            for token, times in sequence.written.items():
                written.append((row, token, sampling.presence_penalty + sampling.frequency_penalty * times))
        if sequence.must_go_on:
            forbidden += [(row, token, math.inf) for token in sequence.end_ids]
    if biased:
        place, amount = _places(biased, logits.device)
        logits[place] = logits[place] - amount
    if repeated:
        place, penalty = _places(repeated, logits.device)
        values = logits[place]
        logits[place] = torch.where(values > 0, values / penalty, values * penalty)
    for entries in (written, forbidden):
        if entries:
            place, amount = _places(entries, logits.device)
            logits[place] = logits[place] - amount


def _places(
    entries: list[tuple[int, int, float]], device: torch.device
) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Index (rows, tokens) and values."""
    rows, tokens, values = zip(*entries, strict=True)
    return (to_device(rows, device), to_device(tokens, device)), to_device(values, device)


def _draw(logits: torch.Tensor, sequences: list[Sequence]) -> torch.Tensor:
    """One uniform number a sequence, looked up in its cumulative distribution.

    The lookup is in vocabulary order, not in order of likelihood: rounding differs with the size of the batch, and two
    tokens that are nearly as likely must not change places by it.
    """
    sampling = [sequence.request.sampling for sequence in sequences]
    device = logits.device
    temperature = to_device([s.temperature for s in sampling], device)
    # Below this, division would overflow, and the likeliest token has all the probability anyway.
    probabilities = torch.softmax(logits / temperature.clamp(min=1e-4)[:, None], dim=-1)
    if any(s.top_k > 0 or s.top_p < 1 or s.min_p > 0 for s in sampling):
        vocabulary = logits.shape[-1]
        top_k = to_device([min(s.top_k, vocabulary) if s.top_k > 0 else vocabulary for s in sampling], device)
        top_p = to_device([s.top_p for s in sampling], device)
        min_p = to_device([s.min_p for s in sampling], device)
        probabilities = _filter(probabilities, top_k, top_p, min_p)
    cumulative = probabilities.cumsum(dim=-1)
    # Just under 1: rounded up to the whole sum, the lookup would run past the last token.
    uniform = to_device([min(s.draw(), 1 - 1e-6) for s in sequences], device)
    aims = uniform[:, None] * cumulative[:, -1:]
    chosen = torch.searchsorted(cumulative, aims, right=True)[:, 0]
    # An adapter with absurd weights makes logits that are no numbers: its text is nonsense, but must stay tokens.
    return chosen.clamp(max=logits.shape[-1] - 1)


def _filter(probabilities: torch.Tensor, top_k: torch.Tensor, top_p: torch.Tensor, min_p: torch.Tensor) -> torch.Tensor:
    """Zero what the filters leave out: min-p and top-k first, top-p of what these keep."""
    ordered, order = probabilities.sort(dim=-1, descending=True)
    ranks = torch.arange(ordered.shape[-1], device=ordered.device)
    ordered = ordered * ((ranks < top_k[:, None]) & (ordered >= min_p[:, None] * ordered[:, :1]))
    before = ordered.cumsum(dim=-1) - ordered
    # At top_p 1 nothing is left out, whatever rounding says of the sum.
    keep = (before < top_p[:, None] * ordered.sum(dim=-1, keepdim=True)) | (top_p[:, None] >= 1)
    return torch.zeros_like(probabilities).scatter(-1, order, ordered * keep)
